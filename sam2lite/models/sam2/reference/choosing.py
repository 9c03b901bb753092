"""Which of a frame's candidates becomes its mask."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from sam2lite.models.networks import Choice
from sam2lite.models.sam2.reference.motion import Motion

ABSENT_LOGIT = -1024.0  # of every pixel where the object is judged absent
STABILITY_OFFSET = 0.05  # logits on either side of a mask's edge
STABILITY = 0.98  # IoU of the masks at the two offsets, from which the first candidate is kept
SINGLE = 0  # the candidate for prompts that leave no doubt; the others are for those that do


class Candidates(NamedTuple):
    """What `mask_decoder` gives."""

    logits_bmhw: Tensor
    iou_bm: Tensor
    score_b1: Tensor
    pointer_bmc: Tensor


class Choosing(NamedTuple):
    """A mask, as it is shown; its predicted IoU; the pointer that stands for the object."""

    logits_hw: Tensor
    iou: Tensor
    pointer_bc: Tensor


def chosen(
    found: Candidates, tokens: int, object_id: int, choose: Choice, motion: Motion | None = None
) -> Choosing:
    """Return what is chosen.

    Args:
        found: of the frame.
        tokens: of clicks and box corners that the frame was prompted with.
        object_id: of the object.
        choose: among candidates that the rules hold equal.
        motion: of a tracked object, if it has a say: `choose` then gets scores of both.
    """
    (logits_mhw,), (iou_m,), (pointer_mc,) = found.logits_bmhw, found.iou_bm, found.pointer_bmc
    there = found.score_b1[0] > 0
    shown_mhw = logits_mhw.where(there[:, None, None], logits_mhw.new_tensor(ABSENT_LOGIT))
    doubtful = tokens <= 1
    if doubtful or not _stable(logits_mhw[SINGLE]):
        score_m = iou_m[SINGLE + 1 :]
        if motion is not None:
            score_m = motion.scores(score_m, logits_mhw[SINGLE + 1 :])
        index = SINGLE + 1 + choose(object_id, score_m, shown_mhw[SINGLE + 1 :])
    else:
        index = SINGLE
    pointer = index if doubtful else SINGLE
    return Choosing(shown_mhw[index], iou_m[index], pointer_mc[pointer][None])


def best(object_id: int, iou_m: Tensor, logits_mhw: Tensor) -> int:
    """Return the candidate with the highest predicted IoU, the first of equals."""
    return int(iou_m.argmax())


def _stable(logits_hw: Tensor) -> bool:
    inner = int((logits_hw > STABILITY_OFFSET).sum())
    outer = int((logits_hw > -STABILITY_OFFSET).sum())
    return outer == 0 or inner / outer >= STABILITY
