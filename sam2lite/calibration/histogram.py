"""A histogram that grows with what it sees, in one pass."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BINS = 8192  # over -limit..limit; at least a quarter of them cover what was seen on one side


class Histogram:
    """Counts of values in equal bins over -limit..limit.

    The limit is a power of two. Where a value lies beyond it, it doubles and bins merge in pairs,
    so that counts stay exact at their own resolution.

    Attributes:
        limit: 0 until something else than zeros was seen.
        counts: float64 [BINS]; zeros fall into the first bin above 0.
        least: smallest value seen.
        greatest: largest value seen.
    """

    def __init__(self) -> None:
        self.limit = 0.0
        self.counts = torch.zeros(BINS, dtype=torch.float64)
        self.least = math.inf
        self.greatest = -math.inf

    @property
    def centres(self) -> Tensor:
        """Middles of the bins, float64 [BINS]."""
        width = 2.0 * self.limit / BINS
        return (torch.arange(BINS, dtype=torch.float64) + 0.5) * width - self.limit

    def add(self, x: Tensor) -> None:
        """Count the elements of a tensor of any shape."""
        flat = x.detach().float().flatten()
        least, greatest = (float(value) for value in flat.aminmax())
        self.least, self.greatest = min(self.least, least), max(self.greatest, greatest)
        self._reach(max(-least, greatest))
        if self.limit:
            self.counts += torch.histc(flat, BINS, -self.limit, self.limit).double()

    def _reach(self, peak: float) -> None:
        """Widen until `peak` is inside."""
        if peak == 0.0:
            return
        if self.limit == 0.0:
            self.limit = 2.0 ** math.ceil(math.log2(peak))
        while self.limit < peak:
            inner = self.counts.reshape(-1, 2).sum(dim=1)
            self.counts = torch.zeros_like(self.counts)
            self.counts[BINS // 4 : -BINS // 4] = inner
            self.limit *= 2.0
