"""Choosing among the masks of the decoder, as the published loops do."""

from typing import NamedTuple

import numpy as np

from sam2lite.runtimes.masks.stability import stability

STABILITY_MARGIN = (
    0.05  # logits; how far the threshold is moved to see whether a mask depends on it
)
LEAST_STABLE = 0.98  # share of the mask that must stay


class Candidates(NamedTuple):
    """What the decoder gave of one object.

    Attributes:
        masks_mhw: float32 [4, h, w] logits; the first is for prompts that leave no doubt.
        iou_m: float32 [4].
        pointers_mc: float32 [4, 256].
        score: logit of presence.
    """

    masks_mhw: np.ndarray
    iou_m: np.ndarray
    pointers_mc: np.ndarray
    score: float


class Choice(NamedTuple):
    """Which candidate is the object's mask, and which one its pointer comes from."""

    mask: int
    pointer: int


def best_of_several(iou_m: np.ndarray) -> int:
    """Return the candidate with the highest predicted IoU, the first one of all not considered."""
    return 1 + int(np.argmax(iou_m[1:]))


def choose(candidates: Candidates, several_masks: bool) -> Choice:
    """Choose the mask and the pointer.

    Args:
        candidates: of the decoder.
        several_masks: whether the prompt leaves a doubt which of several objects is meant.
    """
    best = best_of_several(candidates.iou_m)
    if several_masks:
        return Choice(best, best)
    sure = stability(candidates.masks_mhw[0], STABILITY_MARGIN)
    # The pointer stays that of the first mask, even where another is shown.
    return Choice(0 if sure >= LEAST_STABLE else best, 0)
