"""Loop parity: a whole clip through a bundle's frame loop and through PyTorch's, side by side.

Graph parity says that each graph computes what its module does. Loop parity says that the loop
around them does too: memory, ages, windows, corrections, absent objects and changes of rung. Errors
accumulate in it, and one wrong rule shows at once.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.errors import VerificationError
from sam2lite.exporter.verify.choices import ChoiceCount, Choices

if TYPE_CHECKING:
    from sam2lite.data.clips import Clip
    from sam2lite.models.contest import Contest
    from sam2lite.models.loaded import LoadedModel
    from sam2lite.runtimes.bundle import Bundle
    from sam2lite.runtimes.results import ObjectResult

LEAST_FRAMES = 6  # so that an object can hide and return between what else happens
CORRECTED_AT = 7 / 24  # of the clip
RUNG_SWITCHED_AT = 16 / 24

LOGIT_TOLERANCE = 1e-3  # absolute; masks are the logits' signs
NEAR_ZERO = 1e-3  # a pixel whose logit is closer to 0 may fall on either side, and is only counted


@dataclass
class LoopParity:
    """How far the bundle's loop is from PyTorch's.

    Attributes:
        frames: of the clip.
        objects: followed through it.
        rungs: in the order they were used.
        max_logit_difference: over all frames, objects and pixels.
        max_score_difference: of the object score, likewise.
        min_iou: lowest IoU of a frame's mask, over pixels that are not near zero.
        mean_iou: mean over frames and objects, likewise.
        near_zero_pixels: left out of the IoU, of `compared_pixels`.
        compared_pixels: at stride 4, of all frames and objects.
        present: decisions for present, of frames times objects.
        absent: decisions for absent.
        non_empty: masks of present objects with at least one pixel.
        decisions_differ: decisions that the two loops did not agree on.
        settings: of the frame rules, that both loops ran under, beside their defaults.
        choices: among candidate masks, by what they are made by. At one that rounding explains,
            PyTorch's loop went on with the candidate that the bundle's took, else with its own.
        first_divergence: first frame that is out of bounds; None if there is none.
    """

    frames: int = 0
    objects: int = 0
    rungs: list[int] = dataclasses.field(default_factory=list)
    max_logit_difference: float = 0.0
    max_score_difference: float = 0.0
    min_iou: float = 1.0
    mean_iou: float = 1.0
    near_zero_pixels: int = 0
    compared_pixels: int = 0
    present: int = 0
    absent: int = 0
    non_empty: int = 0
    decisions_differ: int = 0
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    choices: dict[str, Choices] = dataclasses.field(default_factory=dict)
    first_divergence: int | None = None

    def add(self, frame: int, actual: ObjectResult, expected: ObjectResult) -> None:
        """Compare one object on one frame.

        Args:
            frame: its index.
            actual: of the bundle's loop.
            expected: of the reference.
        """
        logits_hw, present = expected.logits, expected.visible
        difference = float(np.abs(actual.logits - logits_hw).max())
        sure = np.abs(logits_hw) > NEAR_ZERO
        a, b = (actual.logits > 0.0) & sure, (logits_hw > 0.0) & sure
        union = int((a | b).sum())
        iou = int((a & b).sum()) / union if union else 1.0
        self.max_logit_difference = max(self.max_logit_difference, difference)
        self.max_score_difference = max(
            self.max_score_difference, abs(actual.object_score - expected.object_score)
        )
        self.min_iou = min(self.min_iou, iou)
        before = self.present + self.absent
        self.mean_iou += (iou - self.mean_iou) / (before + 1)
        self.near_zero_pixels += int((~sure).sum())
        self.compared_pixels += logits_hw.size
        self.present += present
        self.absent += not present
        self.non_empty += present and bool((logits_hw > 0.0).any())
        differ = present != actual.visible
        self.decisions_differ += differ
        out_of_bounds = difference > LOGIT_TOLERANCE or iou < 1.0 or differ
        if out_of_bounds and self.first_divergence is None:
            self.first_divergence = frame

    def check(self) -> None:
        """Raise VerificationError if a bound is missed, or if there was nothing to compare."""
        if not self.non_empty:
            raise VerificationError(
                f"loop parity compared nothing: no mask of {self.frames} frames has a pixel; "
                "the network shows nothing of what it is prompted with"
            )
        if self.first_divergence is not None:
            raise VerificationError(
                f"the exported loop leaves PyTorch's at frame {self.first_divergence}: largest "
                f"logit difference {self.max_logit_difference:.2e} (bound {LOGIT_TOLERANCE:g}), "
                f"lowest IoU {self.min_iou:.4f} (bound 1), {self.decisions_differ} of "
                f"{self.present + self.absent} decisions differ"
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the manifest."""
        return dataclasses.asdict(self)


def parity_clip(seed: int, frames: int) -> Clip:
    """Return the clip that loops are compared on, in which the first object hides and returns."""
    from sam2lite.data.clips import ClipConfig, generate_clip

    config = ClipConfig(height=270, width=480, frames=frames, objects=(3, 4), hide_object=True)
    return generate_clip(seed, config)


def loop_parity(bundle: Bundle, loaded: LoadedModel, seed: int = 0) -> LoopParity:
    """Follow two objects through a procedural clip in both loops.

    The first object is clicked and hides for a while, the second has a box; the first is corrected
    once, and the rung changes once if the bundle has more than one and memory survives that. The
    family says how many frames that takes; in a shorter clip everything happens sooner.

    Args:
        bundle: an open one.
        loaded: the network it was made from, not fused.
        seed: of the clip.
    """
    from sam2lite.data.clips import first_click
    from sam2lite.evaluation.reference_tracker import ReferenceTracker
    from sam2lite.runtimes.segmenter import VideoSegmenter

    rungs = bundle.manifest.rungs
    frames = max(loaded.host.effort(rungs[-1]).parity_frames, LEAST_FRAMES)
    settings = dict(loaded.host.parity_settings)
    clip = parity_clip(seed, frames)
    height, width = clip.labels_thw.shape[1:]
    first, second = clip.object_ids[:2]
    rows, columns = np.nonzero(clip.labels_thw[0] == second)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    prompts: dict[int, dict[str, Any]] = {
        first: {"points": [first_click(clip, first)]},
        second: {"box": box},
    }
    correction: dict[str, Any] = {
        "points": [(width // 3, height // 3), (width - 5, 4)],
        "labels": [1, 0],
    }

    switches = len(rungs) > 1 and bundle.family.keeps_memory_across_sizes
    count = ChoiceCount()
    report = LoopParity(
        frames=frames,
        objects=len(prompts),
        rungs=[rungs[-1]],
        settings=settings,
        choices=count.by_measure,
    )
    actual: dict[int, ObjectResult] = {}

    def choose(contest: Contest) -> int:
        return count.taken(contest, actual[contest.object_id].logits)

    reference = ReferenceTracker(loaded, rungs[-1], choose, **settings)
    with VideoSegmenter(bundle, **settings) as segmenter:
        segmenter.prepare()  # graphs that the clip has no use for must open, too
        for index, frame_rgb in enumerate(clip.frames_rgb_thwc):
            frame = np.ascontiguousarray(frame_rgb[..., ::-1])
            if index == round(RUNG_SWITCHED_AT * frames) and switches:
                segmenter.set_rung(rungs[0])
                reference.set_rung(rungs[0])
                report.rungs.append(rungs[0])
            if index == 0:
                for object_id, prompt in prompts.items():
                    segmenter.prompt(frame, object_id, **prompt)
            actual.update(segmenter.track(frame).objects)
            # Afterwards, because ties are decided as the segmenter has decided them.
            if index == 0:
                for object_id, prompt in prompts.items():
                    reference.prompt(frame, object_id, **prompt)
            expected = dict(reference.track(frame).objects)
            if index == round(CORRECTED_AT * frames):
                actual[first] = segmenter.correct(first, **correction)
                expected[first] = reference.correct(first, **correction)
            for object_id in prompts:
                report.add(index, actual[object_id], expected[object_id])
    return report
