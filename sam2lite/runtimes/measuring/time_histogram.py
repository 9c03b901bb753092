"""Percentiles of as many times as may come, in constant memory."""

import math
from typing import Dict, Optional

_LEAST_MS = 1e-3
_STEP = math.log(1.01)  # a bin is one percent wide


class TimeHistogram:
    """Counts times in bins whose width is one percent of the time.

    Attributes:
        count: how many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._bins: Dict[int, int] = {}

    def add(self, time_ms: float) -> None:
        """Count a time, ms; what is no number is left out."""
        if math.isnan(time_ms):
            return
        within = min(max(time_ms, _LEAST_MS), 1e12)
        number = int(math.log(within / _LEAST_MS) / _STEP)
        self._bins[number] = self._bins.get(number, 0) + 1
        self.count += 1

    def percentile(self, percent: float) -> Optional[float]:
        """Return the time that `percent` of all do not exceed, within one percent of it; or None.

        Args:
            percent: above 0, at most 100.
        """
        needed = self.count * percent / 100.0
        for number in sorted(self._bins):
            needed -= self._bins[number]
            if needed <= 0:
                return round(_LEAST_MS * math.exp((number + 0.5) * _STEP), 3)
        return None

    def summary(self) -> Optional[Dict[str, Optional[float]]]:
        """Return the median and the 95th percentile; None where nothing was counted."""
        if not self.count:
            return None
        return {"p50": self.percentile(50), "p95": self.percentile(95)}
