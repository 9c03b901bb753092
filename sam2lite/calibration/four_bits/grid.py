"""The grid of a group of weights: sixteen codes, a scale and a zero point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 4
LEVELS = 1 << BITS
_MIDDLE = LEVELS // 2

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Grid:
    """How weights share a scale.

    Attributes:
        group: weights along the input that share one; the last group of a row may be shorter.
        symmetric: whether the zero point is the middle code for all groups.
    """

    group: int = 32
    symmetric: bool = False

    def groups(self, inputs: int) -> int:
        """Return how many groups a row of so many weights has."""
        return -(-inputs // self.group)

    @property
    def bits_saved(self) -> float:
        """Of a weight, against one in 16 bits: a scale and a zero point go with a group."""
        return 16 - BITS - (16 + (0 if self.symmetric else BITS)) / self.group


@dataclass(frozen=True)
class SpanSearch:
    """How the span of a group is found: the whole one is cut a little, and the best cut is kept.

    Attributes:
        power: of the errors whose sum is least. Above 2 it minds large ones more, as the published
            search does (L2.4: Frantar and others, GPTQ's code, `Quantizer.find_params`).
        tried: how many spans, from the whole one down.
        least: the share of the span that the shortest has.
    """

    power: float = 2.4
    tried: int = 12
    least: float = 0.7


@dataclass(frozen=True)
class Steps:
    """Scales and zero points of a weight.

    Attributes:
        grid: that they are of.
        scale_og: float32 `[out, groups]`, above 0; values that FP16 holds.
        zero_og: uint8 `[out, groups]`, the code that stands for 0.
    """

    grid: Grid
    scale_og: Floats
    zero_og: Bytes

    def of_columns(self, columns: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Return scale and zero point of every weight in some columns, float32 `[out, n]`."""
        groups = columns // self.grid.group
        return self.scale_og[:, groups], self.zero_og[:, groups].astype(np.float32)


@dataclass(frozen=True)
class Packed:
    """A weight on its grid.

    Attributes:
        steps: its scales and zero points.
        codes_oi: uint8 `[out, in]`, 0 to 15.
    """

    steps: Steps
    codes_oi: Bytes

    def weight(self) -> Floats:
        """Return what the codes stand for, float32 `[out, in]`."""
        scale, zero = self.steps.of_columns(np.arange(self.codes_oi.shape[1]))
        found: Floats = (self.codes_oi.astype(np.float32) - zero) * scale
        return found


def steps_of(weight_oi: Floats, grid: Grid, shrink: float = 1.0) -> Steps:
    """Return the steps with which the sixteen codes just span each group.

    Args:
        weight_oi: float32 `[out, in]`.
        grid: how weights share a scale.
        shrink: the share of the span that is kept; what lies beyond is cut.
    """
    outputs, inputs = weight_oi.shape
    padded = np.zeros((outputs, grid.groups(inputs) * grid.group), np.float32)
    padded[:, :inputs] = weight_oi  # 0 is in every span anyway
    grouped = padded.reshape(outputs, -1, grid.group)
    low = np.minimum(grouped.min(axis=2), 0.0) * shrink
    high = np.maximum(grouped.max(axis=2), 0.0) * shrink
    if grid.symmetric:
        # The code below the middle reaches one step further than that above it.
        largest = np.maximum(-low / _MIDDLE, high / (_MIDDLE - 1))
        scale = _positive(largest)
        zero = np.full(scale.shape, _MIDDLE, np.uint8)
        return Steps(grid, scale, zero)
    scale = _positive((high - low) / (LEVELS - 1))
    zero = np.clip(np.rint(-low / scale), 0, LEVELS - 1).astype(np.uint8)
    return Steps(grid, scale, zero)


def rounded(weight_oi: Floats, steps: Steps) -> Packed:
    """Round every weight to the nearest code of its group."""
    scale, zero = steps.of_columns(np.arange(weight_oi.shape[1]))
    codes = np.clip(np.rint(weight_oi / scale) + zero, 0, LEVELS - 1)
    return Packed(steps, codes.astype(np.uint8))


def searched_steps(weight_oi: Floats, grid: Grid, search: SpanSearch | None = None) -> Steps:
    """Return for each group the steps with the least error, of spans that are cut a little.

    Args:
        weight_oi: float32 `[out, in]`.
        grid: how weights share a scale.
        search: which spans are tried.
    """
    search = search or SpanSearch()
    outputs, inputs = weight_oi.shape
    count = grid.groups(inputs)
    best = steps_of(weight_oi, grid)
    scale, zero = best.scale_og.copy(), best.zero_og.copy()
    errors = np.full((outputs, count), np.inf)
    for shrink in np.linspace(1.0, search.least, search.tried):
        steps = steps_of(weight_oi, grid, float(shrink))
        lost = np.zeros((outputs, count * grid.group))
        lost[:, :inputs] = np.abs(rounded(weight_oi, steps).weight() - weight_oi) ** search.power
        found = lost.reshape(outputs, count, grid.group).sum(axis=2)
        better = found < errors
        errors[better] = found[better]
        scale[better], zero[better] = steps.scale_og[better], steps.zero_og[better]
    return Steps(grid, scale, zero)


def _positive(scale: NDArray[np.floating]) -> Floats:
    """Return scales above 0 that FP16 holds, in which they are stored."""
    held = scale.astype(np.float16).astype(np.float32)
    return np.where(held > 0, held, np.float32(1.0))
