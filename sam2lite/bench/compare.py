"""How far two bundles agree on a clip, as a call."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sam2lite.errors import ArgumentError, VideoError
from sam2lite.exporter.progress import SILENT, Progress
from sam2lite.runtimes.backends.simulated import opened
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.commands.prompted import (
    Prompts,
    check_prompts,
    expected_frames,
    run_warnings,
    track_prompted,
)
from sam2lite.runtimes.results import ObjectResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.video.source import open_source

GOOD_IOU = 0.9


def compare(
    bundle_a: Bundle | str | Path,
    bundle_b: Bundle | str | Path,
    video: str | Path,
    prompts: Prompts,
    *,
    frames: int | None = None,
    size: int | None = None,
    backend: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Track a clip with two bundles, each with its own memory, and say how far the masks agree.

    This is how much a precision, an input size or a version changes on a clip; it does not say
    which of the two is right. Bundles for Core ML are simulated where there is none.

    Args:
        bundle_a: a bundle, or its folder.
        bundle_b: another one.
        video: a video file or a folder of frames.
        prompts: by object by frame, in pixels of the frame.
        frames: to stop after; all if not given.
        size: of the input, px; each bundle's largest if not given.
        backend: that runs both; that each was made for if not given.
        progress: told how far it is.

    Returns:
        plain data: `frames`, `bundles` with the milliseconds of each, `warnings`, and `objects` by
        their number, each with `mean_iou`, `min_iou`, `first_bad_frame` (below `bad_below_iou`),
        `same_visibility`, `both_empty_frames` and `max_logit_difference`. Frames on which neither
        shows the object count as an IoU of 1.

    Raises:
        ArgumentError: nothing is pointed out, or a bundle cannot be run with the backend.
        BundleError: a bundle cannot be used.
        PromptError: a prompt lies outside its frame, or beyond the end of the video.
        UnknownNameError: one of the bundles does not hold the input size.
        VideoError: the video cannot be read, or ended before the first prompt.
    """
    if not any(prompts.values()):
        raise ArgumentError("nothing is pointed out; prompts={0: {1: Prompt(points=[(x, y)])}}")
    bundles = opened(bundle_a, backend), opened(bundle_b, backend)
    with (
        open_source(video) as source,
        VideoSegmenter(bundles[0], rung=size) as segmenter_a,
        VideoSegmenter(bundles[1], rung=size) as segmenter_b,
    ):
        for segmenter in (segmenter_a, segmenter_b):
            segmenter.prepare()  # or frames would be slower for what they open
        count = expected_frames(source, frames)
        if count is None and source.is_live:
            raise ArgumentError(f"'{source.name}' has no end; say how much of it with --frames")
        check_prompts(prompts, source, frames)
        agreements: dict[int, Agreement] = {}
        total_ms = np.zeros(2)
        tracked, last_index = 0, -1
        with (progress or SILENT).phase("comparing", count) as report:
            for captured in islice(source.captured(), frames):
                last_index = captured.source_index
                here = prompts.get(last_index, {})
                results = [
                    track_prompted(segmenter, captured.image_bgr, tracked, here)
                    for segmenter in (segmenter_a, segmenter_b)
                ]
                total_ms += [result.stage_ms["total"] for result in results]
                for object_id, found in results[0].objects.items():
                    agreement = agreements.setdefault(object_id, Agreement())
                    agreement.add(tracked, found, results[1].objects[object_id])
                tracked += 1
                report(f"frame {tracked}")
        rungs = segmenter_a.rung, segmenter_b.rung
    if not agreements:
        raise VideoError(f"'{source.name}' ended after {tracked} frames, before the first prompt")
    return {
        "video": source.name,
        "frames": tracked,
        "bad_below_iou": GOOD_IOU,
        "bundles": [
            {
                "path": bundle.path,
                "sha256": bundle.sha256,
                "model": bundle.manifest.model.name,
                "precision": bundle.manifest.precision,
                "rung": used,
                "mean_ms": None if bundle.simulate is not None else round(float(mean_ms), 3),
            }
            for bundle, used, mean_ms in zip(bundles, rungs, total_ms / tracked, strict=True)
        ],
        "objects": {str(key): value.to_json() for key, value in sorted(agreements.items())},
        "warnings": run_warnings(source, prompts, last_index),
    }


class Agreement:
    """How far two bundles agree on one object, summed up frame by frame."""

    def __init__(self) -> None:
        self._frames = 0
        self._iou_sum = 0.0
        self._min_iou = 1.0
        self._first_bad: int | None = None
        self._same_visibility = 0
        self._both_empty = 0
        self._logit_difference: float | None = None

    def add(self, frame: int, a: ObjectResult, b: ObjectResult) -> None:
        """Take in one frame."""
        union = np.count_nonzero(a.mask | b.mask)
        iou = np.count_nonzero(a.mask & b.mask) / union if union else 1.0
        self._frames += 1
        self._iou_sum += iou
        self._min_iou = min(self._min_iou, iou)
        if iou < GOOD_IOU and self._first_bad is None:
            self._first_bad = frame
        self._same_visibility += a.visible == b.visible
        self._both_empty += not union
        if a.logits.shape == b.logits.shape and not (a.lost or b.lost):
            difference = float(np.abs(a.logits - b.logits).max())
            self._logit_difference = max(self._logit_difference or 0.0, difference)

    def to_json(self) -> dict[str, Any]:
        """Return the summary; the logit difference is null where the rungs were never equal."""
        return {
            "frames": self._frames,
            "mean_iou": self._iou_sum / self._frames,
            "min_iou": self._min_iou,
            "first_bad_frame": self._first_bad,
            "same_visibility": self._same_visibility / self._frames,
            "both_empty_frames": self._both_empty,
            "max_logit_difference": self._logit_difference,
        }
