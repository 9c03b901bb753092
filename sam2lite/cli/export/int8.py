"""What `sam2lite-export` does with --int8."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from sam2lite.cli.export import options
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.contracts.manifest import Manifest
from sam2lite.runtimes.cache import cache_dir
from sam2lite.targets.profile import TargetProfile

if TYPE_CHECKING:
    from sam2lite.models.loaded import LoadedModel


class Int8Options(NamedTuple):
    """What the flags of an INT8 export say; the defaults are theirs."""

    calib: str | None = None
    calib_frames: int = quantize.DEFAULT_FRAMES
    calib_seed: int = 0
    observer: str = quantize.DEFAULT_OBSERVER
    ranges: Path | None = None
    keep_float: Sequence[str] = ()
    max_drop: float = 1.0
    accept_drop: bool = False


DEFAULTS = Int8Options()


def export_int8(
    checkpoint: "LoadedModel",
    target: TargetProfile,
    output: Path,
    rungs: tuple[int, ...],
    wanted: Int8Options = DEFAULTS,
    *,
    device_app: bool = False,
    force: bool = False,
) -> Manifest:
    """Calibrate, search and export behind progress bars; say what it cost.

    Raises what `calibrate` and `write_int8_bundle` do.
    """
    from sam2lite.calibration.calibrate import Calibration
    from sam2lite.calibration.ranges import load_ranges
    from sam2lite.exporter.bundle.writer import ExportJob
    from sam2lite.exporter.precision.int8_bundle import Accuracies, write_int8_bundle

    accuracies = Accuracies(max_drop=wanted.max_drop, accept=wanted.accept_drop)
    if wanted.ranges is None:
        calibration = quantize.calibrated(checkpoint, rungs, *wanted[:4])
    else:
        found = load_ranges(wanted.ranges)
        found.check_fits(checkpoint.sha256, rungs)
        # Nothing is left to observe: footage serves to compare graphs on.
        recording, _ = quantize.recorded(checkpoint, rungs, *wanted[:3])
        calibration = Calibration(found, recording)
    steps = len(ExportJob.plan(checkpoint, rungs).keys) + 3
    with options.reported_steps("export", steps) as report:
        manifest, outcome = write_int8_bundle(
            checkpoint,
            target,
            output,
            calibration,
            rungs=rungs,
            keep_float=wanted.keep_float,
            wanted=accuracies,
            cache=Path(cache_dir()) / "precision",
            device_app=device_app,
            force=force,
            report=report,
        )
    drop = outcome.drop
    typer.echo(
        f"INT8 against FP32 on {drop.clips} clips at {drop.rung} px: J&F {drop.before.jf:.2f} to "
        f"{drop.after.jf:.2f}, first frame J {drop.before.first_frame_j:.2f} to "
        f"{drop.after.first_frame_j:.2f}",
        err=True,
    )
    kept = outcome.plan.kept
    typer.echo(f"{len(outcome.plan.int8)} layers in INT8, {len(kept)} in float", err=True)
    for path, reason in sorted(kept.items()):
        typer.echo(f"  {path}: {reason}", err=True)
    return manifest
