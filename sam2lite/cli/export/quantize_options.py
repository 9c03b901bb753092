"""Options that all commands share which calibrate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sam2lite.cli.export.options import reported_steps
from sam2lite.exporter.footage import OBSERVER, SEED, recordings

if TYPE_CHECKING:
    from sam2lite.calibration.calibrate import Calibration
    from sam2lite.models.loaded import LoadedModel

_FRAMES = typer.Option(
    "--calib-frames",
    help="Frames to calibrate on, in all.",
    show_default="64, fewer where a frame takes seconds",
)
_SEED = typer.Option("--calib-seed", help="Of the clips and prompts drawn.", show_default=str(SEED))
_OBSERVER = typer.Option(
    metavar="NAME",
    help="minmax, moving-average, percentile, mse or entropy; or training, for the ranges that a "
    "checkpoint learned.",
    show_default=OBSERVER,
)
Source = Annotated[
    str | None,
    typer.Option(
        "--calib",
        metavar="PATH",
        help="Video, folder of pictures, or data set to calibrate on; what is left of it tells how "
        "masks agree with FP32's.",
        show_default="generated clips",
    ),
]
Frames = Annotated[int | None, _FRAMES]
Seed = Annotated[int, _SEED]
MaybeSeed = Annotated[int | None, _SEED]
Observer = Annotated[str, _OBSERVER]
MaybeObserver = Annotated[str | None, _OBSERVER]
Ranges = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Ranges of `sam2lite calibrate`, instead of --calib."),
]
KeepFloat = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Layers to keep in float, by their paths, as in '*.iou.*'; may be repeated.",
    ),
]
MaxDrop = Annotated[
    float | None,
    typer.Option(
        help="Points of J&F that INT8 may lose against FP32.",
        show_default="1.0",
    ),
]
AcceptDrop = Annotated[bool, typer.Option("--accept-drop", help="Keep a bundle that loses more.")]
DEFAULT_OBSERVER = OBSERVER


def calibrated(
    checkpoint: "LoadedModel",
    rungs: tuple[int, ...],
    source: str | None,
    frames: int | None,
    seed: int,
    observer: str,
) -> "Calibration":
    """Calibrate behind a progress bar; see `calibration.calibrate` for what it raises."""
    from sam2lite.calibration.calibrate import CalibrationSettings, calibrate, steps

    if frames is None:
        frames = checkpoint.host.effort(max(rungs)).calibration_frames
    settings = CalibrationSettings(source, frames, seed, observer)
    with reported_steps("calibrate", steps(checkpoint, settings)) as report:
        return calibrate(checkpoint, rungs, settings, recordings(), report)
