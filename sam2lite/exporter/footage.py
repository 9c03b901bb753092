"""What a precision must have seen of the network at work, and what its masks are compared on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sam2lite.files.names import public_name
from sam2lite.runtimes.cache import cache_dir

if TYPE_CHECKING:
    from sam2lite.calibration.calibrate import Calibration, CalibrationSettings
    from sam2lite.calibration.ranges import Provenance
    from sam2lite.calibration.recorder import Recording
    from sam2lite.exporter.backends import ExportRequest
    from sam2lite.exporter.precision.schemes import Scheme
    from sam2lite.exporter.verify.agreement import ComparedFootage

# Where a recipe does not say.
SEED, OBSERVER = 0, "mse"
# How clips that masks are compared on go with calibration.
HELD_OUT = "held out from calibration"
CALIBRATED_ON = "calibrated on as well: the footage has no more"
UNCALIBRATED = "nothing was calibrated"


def recordings() -> Path:
    """Return the folder of recordings."""
    return Path(cache_dir()) / "recordings"


def recorded(request: ExportRequest) -> tuple[Recording, Provenance]:
    """Record what every graph is fed in the float loop, all values counting.

    Raises what `calibration.calibrate` does.
    """
    from sam2lite.calibration.calibrate import recorded as record
    from sam2lite.calibration.calibrate import steps

    settings = _settings(request, "minmax")
    with request.progress.phase("record", steps(request.loaded, settings)) as report:
        return record(request.loaded, request.sizes, settings, recordings(), report)


def calibrated(request: ExportRequest) -> Calibration:
    """Return the ranges of every tensor that is quantized, and calls to compare graphs on.

    Raises what `calibration.calibrate` does, and:
        CalibrationError: the file of ranges cannot be read, or is of another network or other
            sizes.
    """
    from sam2lite.calibration.calibrate import Calibration, calibrate, steps
    from sam2lite.calibration.ranges import load_ranges

    recipe = request.recipe
    if recipe.ranges is not None:
        found = load_ranges(Path(recipe.ranges))
        found.check_fits(request.loaded.sha256, request.sizes, request.loaded.aspect)
        # Nothing is left to observe: footage serves to compare graphs on.
        return Calibration(found, recorded(request)[0])
    settings = _settings(request, recipe.observer or OBSERVER)
    with request.progress.phase("calibrate", steps(request.loaded, settings)) as report:
        return calibrate(request.loaded, request.sizes, settings, recordings(), report)


def compared(request: ExportRequest, scheme: Scheme) -> ComparedFootage | None:
    """Return the clips on which masks are compared with those of FP32, if the user gave footage.

    They are what calibration left of it, or the same clips where it left nothing.

    Args:
        request: the export; its network is the one in FP32.
        scheme: of its precision.

    Raises:
        VideoError: the footage cannot be read.
    """
    if request.recipe.calib is None or scheme.exact:
        return None
    from sam2lite.calibration.footage import calibration_clips, content_sha256, held_out_clips
    from sam2lite.exporter.precision.schemes import NOTHING
    from sam2lite.exporter.verify.agreement import ComparedFootage

    settings = _settings(request, OBSERVER)
    chosen = (str(request.recipe.calib), settings.frames, settings.seed)
    split, clips = UNCALIBRATED, []
    if scheme.observes != NOTHING:
        split, clips = HELD_OUT, held_out_clips(*chosen)
    if not clips:
        split = CALIBRATED_ON if split == HELD_OUT else split
        clips = calibration_clips(*chosen)
    said = {
        "with": "PyTorch in FP32",
        "source": public_name(chosen[0]),
        "split": split,
        "data_sha256": content_sha256(clips),
    }
    return ComparedFootage(clips, request.loaded, said)


def _settings(request: ExportRequest, observer: str) -> CalibrationSettings:
    from sam2lite.calibration.calibrate import CalibrationSettings

    recipe, frames = request.recipe, request.recipe.calib_frames
    if frames is None:
        frames = recipe.quantization.calib_frames
    if frames is None:
        frames = request.loaded.host.effort(max(request.sizes)).calibration_frames
    source = None if recipe.calib is None else str(recipe.calib)
    return CalibrationSettings(source, frames, recipe.calib_seed or SEED, observer)
