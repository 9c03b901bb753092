"""A choice among candidate masks as data: what competes, which one wins, how narrowly others lose.

Reference loops put contests to whoever compares them with another loop. What families choose by is
theirs; those who compare count by name, and know no family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

PREDICTED_IOU = "predicted IoU"
# Predicted IoUs that differ by less are equal up to rounding.
IOU_TIE = 1e-3


class Loss(NamedTuple):
    """How a candidate loses.

    Attributes:
        measure: what decided, in words; reports count by it.
        margin: by which that would have to be otherwise for the candidate to win, 0 or more.
        tie: a margin of at most this is one of rounding.
    """

    measure: str
    margin: float
    tie: float


class Contest(NamedTuple):
    """A choice that a loop has to make about one object on one frame.

    Attributes:
        object_id: of the object.
        logits_mhw: [M, h, w] of the candidates that compete, as they would be shown. Those that the
            rules leave out, on a frame or always, are not among them.
        winner: index of the one that the rules take.
        losses_m: of every candidate; that of the winner says nothing.
    """

    object_id: int
    logits_mhw: Tensor
    winner: int
    losses_m: Sequence[Loss]


def by_iou(object_id: int, iou_m: Tensor, logits_mhw: Tensor) -> Contest:
    """Return a contest that the highest predicted IoU wins, the first of equals.

    Args:
        object_id: of the object.
        iou_m: [M], predicted.
        logits_mhw: [M, h, w], as they would be shown.
    """
    winner = int(iou_m.argmax())
    losses = [
        Loss(PREDICTED_IOU, float(lost), IOU_TIE) for lost in (iou_m[winner] - iou_m).detach()
    ]
    return Contest(object_id, logits_mhw, winner, losses)


def by_the_rules(contest: Contest) -> int:
    """Return the winner."""
    return contest.winner
