"""Choices among candidate masks, and those that a bundle's loop makes otherwise than PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sam2lite.models.contest import Contest

NEARER = 0.9  # of the distance to the winner: below it, a mask is another candidate's


@dataclass
class Choices:
    """Choices that one measure has a part in.

    Attributes:
        made: how many there were.
        flipped: those where the bundle's loop took a candidate that loses by this measure.
        tied: those of them where rounding explains it.
        smallest_flip: least margin at such a choice; None if there is none.
        largest_flip: greatest, likewise.
    """

    made: int = 0
    flipped: int = 0
    tied: int = 0
    smallest_flip: float | None = None
    largest_flip: float | None = None

    def add_flip(self, margin: float, tied: bool) -> None:
        """Count a flip by a margin of 0 or more."""
        self.flipped += 1
        self.tied += tied
        known = [m for m in (self.smallest_flip, self.largest_flip, margin) if m is not None]
        self.smallest_flip, self.largest_flip = min(known), max(known)

    def add(self, other: Choices) -> None:
        """Count what another has counted."""
        self.made += other.made
        self.flipped += other.flipped
        self.tied += other.tied
        ends = (self.smallest_flip, self.largest_flip, other.smallest_flip, other.largest_flip)
        known = [m for m in ends if m is not None]
        self.smallest_flip, self.largest_flip = min(known, default=None), max(known, default=None)


@dataclass
class ChoiceCount:
    """Counts choices by what they are made by.

    Attributes:
        by_measure: the counts, by the names of contests.
    """

    by_measure: dict[str, Choices] = field(default_factory=dict)

    def taken(self, contest: Contest, actual_hw: NDArray[np.float32]) -> int:
        """Return the candidate that the bundle's loop took if rounding explains it, or the winner.

        Scores that are equal up to rounding say nothing, but memory, and all masks from there on,
        are different ones. A choice of another than the winner is counted.

        Which one the bundle's loop took is told from its mask. A mask that is far from every
        candidate, as where the rules blank those of an object that is absent, tells nothing.

        Args:
            contest: of PyTorch's loop.
            actual_hw: logits of the mask in the bundle's.
        """
        for measure in dict.fromkeys(loss.measure for loss in contest.losses_m):
            self.by_measure.setdefault(measure, Choices()).made += 1
        winner = contest.winner
        difference_m = np.abs(contest.logits_mhw.numpy() - actual_hw).max(axis=(1, 2))
        nearest = int(difference_m.argmin())
        loss = contest.losses_m[nearest]
        if nearest == winner or not math.isfinite(loss.margin):
            return winner
        if not difference_m[nearest] < NEARER * difference_m[winner]:  # or one is no number
            return winner
        tied = loss.margin <= loss.tie
        self.by_measure[loss.measure].add_flip(loss.margin, tied)
        return nearest if tied else winner

    def add(self, others: Mapping[str, Choices]) -> None:
        """Count what others have counted."""
        for measure, choices in others.items():
            self.by_measure.setdefault(measure, Choices()).add(choices)
