"""Observers: from all values of a tensor to the range that INT8 spans.

Every range holds zero, which is the value of padding and of ReLU and must have an exact code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from sam2lite.calibration.histogram import BINS, Histogram

Range = tuple[float, float]

LEVELS = 256
AVERAGED_SHARE = 0.1  # of a new tensor in the moving average
PERCENTILE = 99.99  # of the values are inside, an equal part of the rest on either side
LEAST_MASS = 1e-9
# Ranges that clipping observers try, as shares of the whole.
CLIPPINGS = torch.linspace(0.1, 1.0, 91, dtype=torch.float64)


class Observer(Protocol):
    """Sees a tensor many times, and says which range to give it."""

    def observe(self, x: Tensor) -> None:
        """Take in a tensor that is not empty, of any shape."""

    def range(self) -> Range:
        """Return the least and the greatest value; (0, 0) if only zeros, or nothing, was seen."""


class MinMax:
    """All that was seen."""

    def __init__(self) -> None:
        self._least, self._greatest = 0.0, 0.0

    def observe(self, x: Tensor) -> None:
        """See `Observer`."""
        least, greatest = (float(value) for value in x.aminmax())
        self._least, self._greatest = min(self._least, least), max(self._greatest, greatest)

    def range(self) -> Range:
        """See `Observer`."""
        return self._least, self._greatest


class MovingAverage:
    """The moving average of each tensor's extremes (Jacob et al. 2018, sec. 3.1)."""

    def __init__(self) -> None:
        self._range: Range | None = None

    def observe(self, x: Tensor) -> None:
        """See `Observer`."""
        least, greatest = (float(value) for value in x.aminmax())
        seen = min(0.0, least), max(0.0, greatest)
        old = self._range or seen
        self._range = (
            old[0] + AVERAGED_SHARE * (seen[0] - old[0]),
            old[1] + AVERAGED_SHARE * (seen[1] - old[1]),
        )

    def range(self) -> Range:
        """See `Observer`."""
        return self._range or (0.0, 0.0)


class FromHistogram:
    """What a rule makes of the histogram of all values."""

    def __init__(self, rule: Callable[[Histogram], Range]) -> None:
        self._histogram, self._rule = Histogram(), rule

    def observe(self, x: Tensor) -> None:
        """See `Observer`."""
        self._histogram.add(x)

    def range(self) -> Range:
        """See `Observer`."""
        return self._rule(self._histogram) if self._histogram.limit else (0.0, 0.0)


def percentile(histogram: Histogram) -> Range:
    """Leave out the most extreme values, as many on either side."""
    share = histogram.counts.cumsum(0) / histogram.counts.sum()
    outside = (1.0 - PERCENTILE / 100.0) / 2.0
    width = 2.0 * histogram.limit / len(share)
    first = int((share > outside).nonzero()[0]) * width - histogram.limit
    last = (int((share >= 1.0 - outside).nonzero()[0]) + 1) * width - histogram.limit
    least, greatest = min(0.0, histogram.least), max(0.0, histogram.greatest)
    return max(least, min(0.0, first)), min(greatest, max(0.0, last))


def squared_error(histogram: Histogram) -> Range:
    """Find the clipping with the least squared error of rounding and clipping together."""
    return _best_clipping(histogram, _squared_error)


def entropy(histogram: Histogram) -> Range:
    """Find the clipping whose rounded distribution is nearest to the clipped one.

    Nearest by Kullback-Leibler divergence (S. Migacz, "8-bit Inference with TensorRT", 2017), here
    for ranges that need not be symmetric.
    """
    return _best_clipping(histogram, _divergence)


def _best_clipping(histogram: Histogram, cost: Callable[[Histogram, float, float], float]) -> Range:
    least, greatest = min(0.0, histogram.least), max(0.0, histogram.greatest)
    costs = [cost(histogram, float(c) * least, float(c) * greatest) for c in CLIPPINGS]
    best = float(CLIPPINGS[costs.index(min(costs))])
    return best * least, best * greatest


def _codes(histogram: Histogram, least: float, greatest: float) -> Tensor:
    scale = (greatest - least) / (LEVELS - 1)
    zero = round(-least / scale)
    return (histogram.centres / scale + zero).round().clamp(0, LEVELS - 1)


def _squared_error(histogram: Histogram, least: float, greatest: float) -> float:
    scale = (greatest - least) / (LEVELS - 1)
    rounded = (_codes(histogram, least, greatest) - round(-least / scale)) * scale
    return float((histogram.counts * (rounded - histogram.centres).square()).sum())


def _divergence(histogram: Histogram, least: float, greatest: float) -> float:
    codes = _codes(histogram, least, greatest).long()
    counts = histogram.counts.clone()
    # What ReLU has zeroed has an exact code; its mass would drown all the rest.
    counts[BINS // 2] = counts[BINS // 2 + 1]
    half = histogram.limit / len(codes)  # of a bin
    inside = (histogram.centres > least - half) & (histogram.centres < greatest + half)
    kept = torch.where(inside, counts, 0.0)
    clipped = kept.clone()
    places = inside.nonzero()[:, 0]
    clipped[places[0]] += counts[: places[0]].sum()
    clipped[places[-1]] += counts[places[-1] + 1 :].sum()
    # Every level spreads its mass evenly over its bins that are not empty.
    used = kept > 0
    mass = torch.zeros(LEVELS, dtype=torch.float64).index_add_(0, codes, kept)
    bins = torch.zeros(LEVELS, dtype=torch.float64).index_add_(0, codes, used.double())
    spread = torch.where(used, (mass / bins.clamp(min=1.0))[codes], 0.0)
    # Both over all that was seen: were the rounded side made to sum to 1 as well, a clipping that
    # keeps a single bin would look perfect.
    total = counts.sum()
    p, q = clipped / total, spread / total
    # Where the rounded side has no mass the divergence is infinite; a small mass makes it finite.
    return float(torch.special.xlogy(p, p / q.clamp(min=LEAST_MASS)).sum())


OBSERVERS: dict[str, Callable[[], Observer]] = {
    "minmax": MinMax,
    "moving-average": MovingAverage,
    "percentile": lambda: FromHistogram(percentile),
    "mse": lambda: FromHistogram(squared_error),
    "entropy": lambda: FromHistogram(entropy),
}
