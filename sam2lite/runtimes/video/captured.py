"""A frame and when it was made: what a result needs to be put beside other sensors."""

import time
from typing import NamedTuple, Optional

import numpy as np


class CapturedFrame(NamedTuple):
    """One frame out of a source.

    Attributes:
        image_bgr: uint8 [height, width, 3].
        source_index: which frame of the source it is, counted from the first that was taken; those
            that were dropped since count too.
        capture_ms: when it came out of the source, by the machine's monotonic clock, ms
            (`time.monotonic()`, on Linux CLOCK_MONOTONIC).
        pts_ms: its presentation time within the file or stream, ms; None where that is not known.
    """

    image_bgr: np.ndarray
    source_index: int
    capture_ms: float
    pts_ms: Optional[float]

    @property
    def age_ms(self) -> float:
        """How long ago it was captured, ms."""
        return now_ms() - self.capture_ms


def now_ms() -> float:
    """Return the machine's monotonic time, ms."""
    return time.monotonic() * 1000.0
