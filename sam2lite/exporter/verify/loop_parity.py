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
from sam2lite.exporter.verify.parity import ROUNDING_MARGIN

if TYPE_CHECKING:
    from sam2lite.data.clips import Clip
    from sam2lite.models.loaded import LoadedModel
    from sam2lite.runtimes.bundle import Bundle
    from sam2lite.runtimes.results import ObjectResult

LEAST_FRAMES = 6  # so that an object can hide and return between what else happens

LOGIT_TOLERANCE = 1e-3  # absolute; masks are the logits' signs
MOST_TOLERANCE = 2e-2  # however much rounding does to PyTorch's own


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
        tolerance: largest difference of a logit that is in bounds. A pixel whose logit is closer to
            0 may fall on either side, and is only counted.
        own_rounding: how far the logits of PyTorch's loop move with the last bit of its weights;
            None where that was not asked.
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
    tolerance: float = LOGIT_TOLERANCE
    own_rounding: float | None = None
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
        sure = np.abs(logits_hw) > self.tolerance
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
        out_of_bounds = difference > self.tolerance or iou < 1.0 or differ
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
                f"logit difference {self.max_logit_difference:.2e} (bound {self.tolerance:.1e}), "
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


def loop_parity(
    bundle: Bundle, loaded: LoadedModel, seed: int = 0, exact: bool = False
) -> LoopParity:
    """Follow two objects through a procedural clip in both loops.

    The first object is clicked and hides for a while, the second has a box; the first is corrected
    once, and the rung changes once if the bundle has more than one and memory survives that. The
    family says how many frames that takes; in a shorter clip everything happens sooner.

    Args:
        bundle: an open one.
        loaded: the network it was made from, not fused.
        seed: of the clip.
        exact: it is in FP32, and to be PyTorch's. Where the bound for logits is missed, what
            rounding alone makes of PyTorch's own loop is found out: `ROUNDING_MARGIN` times that is
            the bound then, up to `MOST_TOLERANCE`.
    """
    from sam2lite.exporter.verify.loop_script import LoopScript

    script = LoopScript(bundle, loaded, parity_clip(seed, frames_of(bundle, loaded)))
    count = ChoiceCount()
    followed = script.followed(count)

    def report(tolerance: float, rounding: float | None = None) -> LoopParity:
        found = LoopParity(
            frames=script.frames,
            objects=len(script.prompts),
            rungs=script.rungs,
            settings=script.settings,
            choices=count.by_measure,
            tolerance=tolerance,
            own_rounding=rounding,
        )
        for index, (actual, expected) in enumerate(followed):
            for object_id in script.prompts:
                found.add(index, actual[object_id], expected[object_id])
        return found

    found = report(LOGIT_TOLERANCE)
    if not exact or found.first_divergence is None:
        return found
    rounding = script.own_rounding()
    allowed = max(LOGIT_TOLERANCE, min(ROUNDING_MARGIN * rounding, MOST_TOLERANCE))
    return report(allowed, rounding)


def frames_of(bundle: Bundle, loaded: LoadedModel) -> int:
    """Return how many frames loops are compared over."""
    return max(loaded.host.effort(bundle.manifest.rungs[-1]).parity_frames, LEAST_FRAMES)
