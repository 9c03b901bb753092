"""The published controller's view of time, beside `time_model.TimeModel`."""

import math
from typing import Sequence


class LastFrame:
    """Takes the next frame to last as long as the last one, at any scale.

    Args:
        scales: the levels, ascending; not looked at.
    """

    started = True
    ready = True

    def __init__(self, scales: Sequence[float]) -> None:
        self._log_time = 0.0

    def observe(self, level: int, latency_ms: float) -> None:
        """Remember one frame that took `latency_ms` (above 0)."""
        self._log_time = math.log(latency_ms)

    def log_time(self, scale: float) -> float:
        """Return the log of the last frame's milliseconds."""
        return self._log_time

    def move(self, scale: float, step: float) -> float:
        """Return `scale + step`."""
        return scale + step
