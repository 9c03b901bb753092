"""Rounds the continuous scale to a level, without hunting between two of them."""

from bisect import bisect_right
from typing import Sequence


class Ladder:
    """Holds the highest level at or below the scale, with hysteresis and dwell.

    Rising needs the scale to reach a level; falling needs the held level to be late by more than
    the hysteresis. A budget that equals a level's time therefore holds that level.

    Args:
        scales: the levels, ascending.
        start: index of the first level.
        hysteresis: share of the budget by which a held level may be late.
        dwell: frames that a level is held at least.
    """

    def __init__(self, scales: Sequence[float], start: int, hysteresis: float, dwell: int) -> None:
        self.level = start
        self.saturated = False  # the lowest level does not fit
        self._scales = scales
        self._hysteresis = hysteresis
        self._dwell = dwell
        self._held_frames = 0

    def step(self, scale: float, late: float) -> int:
        """Return the level for the next frame.

        Args:
            scale: at least the lowest level's.
            late: time of the held level over the budget, less one.
        """
        too_late = late > self._hysteresis
        self.saturated = self.level == 0 and (too_late or (self.saturated and late > 0))
        self._held_frames += 1
        wanted = bisect_right(self._scales, scale) - 1
        moves = wanted > self.level or (wanted < self.level and too_late)
        if moves and self._held_frames >= self._dwell:
            self.level = wanted
            self._held_frames = 0
        return self.level
