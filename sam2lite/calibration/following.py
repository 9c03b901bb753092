"""The float loop over a calibration clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sam2lite.calibration.footage import CalibrationClip
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.results import ObjectResult


def follow(
    loaded: LoadedModel, clip: CalibrationClip, rungs: Sequence[int]
) -> Iterator[dict[int, ObjectResult]]:
    """Prompt, track and correct as the clip says; yield every frame's results by object.

    Args:
        loaded: the network, fused or not.
        clip: to follow.
        rungs: input widths, px; each is used for an equal part of the clip, in order.
    """
    tracker = ReferenceTracker(loaded, rungs[0])
    for index, frame in enumerate(clip.frames_bgr):
        tracker.set_rung(rungs[index * len(rungs) // len(clip.frames_bgr)])
        for object_id, prompt in clip.prompts.items() if index == 0 else ():
            tracker.give(frame, object_id, prompt)
        results = dict(tracker.track(frame).objects)
        if clip.correction is not None and index == clip.corrected_at:
            first = next(iter(clip.prompts))
            results[first] = tracker.give(frame, first, clip.correction)
        yield results
