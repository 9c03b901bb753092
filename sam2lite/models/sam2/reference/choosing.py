"""Which of a frame's candidates becomes its mask."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from sam2lite.models.contest import Contest, Loss, by_iou
from sam2lite.models.networks import Choice
from sam2lite.models.sam2.reference.motion import Motion

ABSENT_LOGIT = -1024.0  # of every pixel where the object is judged absent
STABILITY_OFFSET = 0.05  # logits on either side of a mask's edge
LEAST_STABLE = 0.98  # IoU of the masks at the two offsets, from which the first candidate is kept
STABILITY = "stability"  # in reports
ROUNDING = 1e-3  # logits; cells so near to either offset may fall on either side
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
        choose: see `Choice`.
        motion: of a tracked object, if it has a say: scores are then of both.
    """
    (logits_mhw,), (iou_m,), (pointer_mc,) = found.logits_bmhw, found.iou_bm, found.pointer_bmc
    there = found.score_b1[0] > 0
    shown_mhw = logits_mhw.where(there[:, None, None], logits_mhw.new_tensor(ABSENT_LOGIT))
    score_m = iou_m[SINGLE + 1 :]
    if motion is not None:
        score_m = motion.scores(score_m, logits_mhw[SINGLE + 1 :])
    several = by_iou(object_id, score_m, shown_mhw[SINGLE + 1 :])
    doubtful = tokens <= 1
    if doubtful:
        index = SINGLE + 1 + choose(several)
    else:
        index = choose(_with_single(several, shown_mhw, logits_mhw[SINGLE]))
    pointer = index if doubtful else SINGLE
    return Choosing(shown_mhw[index], iou_m[index], pointer_mc[pointer][None])


def _with_single(several: Contest, shown_mhw: Tensor, single_hw: Tensor) -> Contest:
    """Return a contest that the first candidate wins if it is stable, and else the best other.

    Args:
        several: the contest without the first.
        shown_mhw: all candidates.
        single_hw: logits of the first, whether it is shown or not.
    """
    stability = _stability(single_hw, STABILITY_OFFSET)
    by_rounding = max(
        abs(_stability(single_hw, STABILITY_OFFSET + by) - stability)
        for by in (-ROUNDING, ROUNDING)
    )
    by_stability = Loss(STABILITY, abs(stability - LEAST_STABLE), by_rounding)
    if stability >= LEAST_STABLE:
        return Contest(several.object_id, shown_mhw, SINGLE, [by_stability] * len(shown_mhw))
    winner, losses = SINGLE + 1 + several.winner, [by_stability, *several.losses_m]
    return Contest(several.object_id, shown_mhw, winner, losses)


def _stability(logits_hw: Tensor, offset: float) -> float:
    """Return the IoU of a mask at an offset on either side of its edge; 1 if both are empty."""
    inner = int((logits_hw > offset).sum())
    outer = int((logits_hw > -offset).sum())
    return inner / outer if outer else 1.0
