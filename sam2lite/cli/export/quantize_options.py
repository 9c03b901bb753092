"""Options that all commands share which calibrate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sam2lite.cli.export.options import reported_steps
from sam2lite.runtimes.cache import cache_dir

if TYPE_CHECKING:
    from sam2lite.calibration.calibrate import Calibration
    from sam2lite.calibration.ranges import Provenance
    from sam2lite.calibration.recorder import Recording
    from sam2lite.models.loaded import LoadedModel

Source = Annotated[
    str | None,
    typer.Option(
        "--calib",
        metavar="PATH",
        help="Video, folder of pictures, or data set to calibrate on.",
        show_default="generated clips",
    ),
]
Frames = Annotated[int, typer.Option("--calib-frames", help="Frames to calibrate on, in all.")]
Seed = Annotated[int, typer.Option("--calib-seed", help="Of the clips and prompts drawn.")]
Observer = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="minmax, moving-average, percentile, mse or entropy; or training, for the ranges that "
        "a checkpoint learned.",
    ),
]
Ranges = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Ranges of `sam2lite calibrate`, instead of --calib."),
]
KeepFloat = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Layers to keep in float, as in 'mask_decoder.iou.*'; may be repeated.",
    ),
]
MaxDrop = Annotated[float, typer.Option(help="Points of J&F that INT8 may lose against FP32.")]
AcceptDrop = Annotated[bool, typer.Option("--accept-drop", help="Keep a bundle that loses more.")]
DEFAULT_FRAMES, DEFAULT_OBSERVER = 64, "mse"


def calibrated(
    checkpoint: "LoadedModel",
    rungs: tuple[int, ...],
    source: str | None,
    frames: int,
    seed: int,
    observer: str,
) -> "Calibration":
    """Calibrate behind a progress bar; see `calibration.calibrate` for what it raises."""
    from sam2lite.calibration.calibrate import CalibrationSettings, calibrate, steps

    settings = CalibrationSettings(source, frames, seed, observer)
    with reported_steps("calibrate", steps(checkpoint, settings)) as report:
        return calibrate(checkpoint, rungs, settings, recordings(), report)


def recorded(
    checkpoint: "LoadedModel", rungs: tuple[int, ...], source: str | None, frames: int, seed: int
) -> "tuple[Recording, Provenance]":
    """Record behind a progress bar, all values counting; raises as `calibration.calibrate`."""
    from sam2lite.calibration.calibrate import CalibrationSettings, recorded, steps

    settings = CalibrationSettings(source, frames, seed, "minmax")
    with reported_steps("record", steps(checkpoint, settings)) as report:
        return recorded(checkpoint, rungs, settings, recordings(), report)


def recordings() -> Path:
    """Return the folder of recordings."""
    return Path(cache_dir()) / "recordings"
