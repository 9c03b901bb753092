"""From values to places on a chart: axes with round numbers on them."""

import math
from dataclasses import dataclass
from typing import NamedTuple

_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


class Tick(NamedTuple):
    """A number on an axis, and where: a share of its length, 0..1."""

    share: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A stretch of numbers.

    Attributes:
        low: at its start.
        high: at its end, above `low`.
        unit: of the numbers, for people.
        whole: whether only whole numbers stand on it.
    """

    low: float
    high: float
    unit: str = ""
    whole: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies, as a share of the axis; what lies beyond it, at its end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def ticks(self, most: int = 6) -> list[Tick]:
        """Return round numbers on the axis, up to `most` of them and one more."""
        step = _step((self.high - self.low) / most)
        step = max(1.0, math.ceil(step)) if self.whole else step
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        digits = next(n for n in range(12) if n == 11 or math.isclose(round(step, n), step))
        values = (n * step for n in range(first, last + 1))
        return [Tick(self.share(value), f"{value:.{digits}f}") for value in values]


def axis_to(high: float, unit: str = "", low: float = 0.0) -> Axis:
    """Return an axis from `low` to a round number at or above `high`."""
    if not high > low:
        return Axis(low, low + 1.0, unit)
    step = _step((high - low) / 5)
    return Axis(low, low + step * math.ceil((high - low) / step - 1e-9), unit)


def _step(wanted: float) -> float:
    """Return the round number at or above a number above 0."""
    size = 10.0 ** math.floor(math.log10(wanted))
    return next(size * each for each in _ROUND if size * each >= wanted * (1 - 1e-9))
