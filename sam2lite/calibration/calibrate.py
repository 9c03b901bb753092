"""Calibration from end to end: footage, recording, ranges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam2lite import __version__
from sam2lite.calibration.footage import CLIP_FRAMES, calibration_clips
from sam2lite.calibration.observe import observe
from sam2lite.calibration.observers import OBSERVERS
from sam2lite.calibration.ranges import ActivationRanges, Provenance
from sam2lite.calibration.recorder import Recording, record
from sam2lite.errors import CalibrationError, UnknownNameError
from sam2lite.files.names import public_name
from sam2lite.models.loaded import LoadedModel

GENERATED = "generated clips"
# Percentiles and divergences of a handful of frames are those of noise.
LEAST_FRAMES = {"percentile": 16, "entropy": 16, "mse": 8}
# Not an observer: what quantization-aware training followed. It knows the inputs of layers alone.
TRAINING = "training"
OUTPUTS_OBSERVER = "mse"


@dataclass(frozen=True)
class CalibrationSettings:
    """How a network is calibrated.

    Attributes:
        source: a video, a folder of pictures or a data set; generated clips if None.
        frames: in all.
        seed: of what is drawn.
        observer: name in `OBSERVERS`, or `TRAINING` for the ranges that the checkpoint comes with.
    """

    source: str | None = None
    frames: int = 64
    seed: int = 0
    observer: str = "mse"


@dataclass(frozen=True)
class Calibration:
    """Ranges, and the calls that they were observed on."""

    ranges: ActivationRanges
    recording: Recording


def steps(loaded: LoadedModel, settings: CalibrationSettings) -> int:
    """Return how often `calibrate` reports at most: once a clip, and once a graph."""
    return -(-settings.frames // CLIP_FRAMES) + len(loaded.family.graphs)


def calibrate(
    loaded: LoadedModel,
    rungs: Sequence[int],
    settings: CalibrationSettings,
    cache: Path,
    report: Callable[[str], None] = lambda name: None,
) -> Calibration:
    """Run the float loop over footage and observe every tensor that INT8 will hold.

    Args:
        loaded: the network.
        rungs: input sides that the ranges are for, px.
        settings: what to feed and how to observe.
        cache: folder for recordings.
        report: told what was done, step by step.

    Raises:
        UnknownNameError: there is no such observer.
        ArgumentError: the number of frames or the seed is out of its range.
        VideoError: the footage cannot be read, or shows nothing.
        CalibrationError: the footage is too little for the observer or for the rungs, or learned
            ranges are asked for and the checkpoint has none.
        OutputError: the cache cannot be written.
    """
    _check_observer(loaded, settings.observer)
    recording, provenance = recorded(loaded, rungs, settings, cache, report)
    if settings.observer == TRAINING:
        spans = observe(loaded, recording, OUTPUTS_OBSERVER, report)
        learned = loaded.activation_ranges or {}
        spans.update({f"{path}:input": span for path, span in learned.items()})
    else:
        spans = observe(loaded, recording, settings.observer, report)
    return Calibration(ActivationRanges(spans, provenance), recording)


def recorded(
    loaded: LoadedModel,
    rungs: Sequence[int],
    settings: CalibrationSettings,
    cache: Path,
    report: Callable[[str], None] = lambda name: None,
) -> tuple[Recording, Provenance]:
    """Run the float loop over footage and keep what every graph is fed, enough for the observer.

    Arguments and errors are those of `calibrate`.
    """
    clips = calibration_clips(settings.source, settings.frames, settings.seed)
    # A clip meets two rungs, and the last one needs a frame for each.
    least = max(LEAST_FRAMES.get(settings.observer, 1), CLIP_FRAMES * (-(-len(rungs) // 2) - 1) + 2)
    if settings.frames < least:
        raise CalibrationError(
            f"{settings.frames} frames are too few for the observer '{settings.observer}' at "
            f"{len(rungs)} rungs; give --calib-frames {least} or more"
        )
    recording = record(loaded, clips, rungs, cache, report)
    provenance = Provenance(
        model=loaded.name,
        checkpoint_sha256=loaded.sha256,
        rungs=tuple(sorted(rungs)),
        observer=settings.observer,
        source=public_name(settings.source) if settings.source else GENERATED,
        data_sha256=recording.data_sha256,
        frames=settings.frames,
        seed=settings.seed,
        sam2lite_version=__version__,
        aspect=loaded.aspect.text,
    )
    return recording, provenance


def _check_observer(loaded: LoadedModel, observer: str) -> None:
    if observer != TRAINING:
        if observer not in OBSERVERS:
            raise UnknownNameError("observer", observer, [*OBSERVERS, TRAINING])
    elif not loaded.activation_ranges:
        raise CalibrationError(
            f"{loaded.name} has no ranges from training, which its INT8 stage would have "
            "written beside the weights; use another --observer"
        )
