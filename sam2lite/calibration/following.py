"""Loops over a calibration clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sam2lite.calibration.footage import CalibrationClip
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.evaluation.trackers import Segmenter
from sam2lite.models.loaded import LoadedModel
from sam2lite.runtimes.results import ObjectResult


def follow(
    loaded: LoadedModel, clip: CalibrationClip, rungs: Sequence[int]
) -> Iterator[dict[int, ObjectResult]]:
    """Run the float loop as the clip says; yield every frame's results by object.

    Args:
        loaded: the network, fused or not.
        clip: to follow.
        rungs: input widths, px; each is used for an equal part of the clip, in order.
    """
    tracker = ReferenceTracker(loaded, rungs[0])
    for index in range(len(clip.frames_bgr)):
        tracker.set_rung(rungs[index * len(rungs) // len(clip.frames_bgr)])
        results: dict[int, ObjectResult] = {}
        for decided in decisions(tracker, clip, index):
            results.update(decided)
        yield results


def decisions(
    segmenter: Segmenter, clip: CalibrationClip, index: int
) -> Iterator[dict[int, ObjectResult]]:
    """Prompt, track and correct on one frame as the clip says.

    Args:
        segmenter: that has been through the frames before.
        clip: to follow.
        index: of the frame.

    Yields:
        the results of all objects, then that of the object that is corrected, if one is.
    """
    frame = clip.frames_bgr[index]
    for object_id, prompt in clip.prompts.items() if index == 0 else ():
        segmenter.give(frame, object_id, prompt)
    yield dict(segmenter.track(frame).objects)
    if clip.correction is not None and index == clip.corrected_at:
        first = next(iter(clip.prompts))
        yield {first: segmenter.give(frame, first, clip.correction)}
