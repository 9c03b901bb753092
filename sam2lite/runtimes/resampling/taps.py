"""Which pixels of a row a resized one is made of, and how much of each."""

from typing import Any, Callable, NamedTuple, Tuple

import numpy as np


class Kernel(NamedTuple):
    """A filter.

    Attributes:
        reach: beyond which it is 0, pixels.
        weight: of each distance from the centre, pixels.
    """

    reach: float
    weight: Callable[[np.ndarray], np.ndarray]


def _triangle(distance: np.ndarray) -> np.ndarray:
    weight: np.ndarray = np.maximum(1 - np.abs(distance), 0).astype(distance.dtype)
    return weight


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Return Keys' cubic convolution with a = -1/2."""
    far = np.abs(distance)
    inner = (1.5 * far - 2.5) * far * far + 1.0
    outer = ((-0.5 * far + 2.5) * far - 4.0) * far + 2.0
    weight: np.ndarray = np.where(far < 1.0, inner, np.where(far < 2.0, outer, 0.0))
    return weight


TRIANGLE = Kernel(1.0, _triangle)
CUBIC = Kernel(2.0, _cubic)


def taps(
    source: int, target: int, kernel: Kernel = TRIANGLE, dtype: Any = np.float32
) -> Tuple[np.ndarray, np.ndarray]:
    """Return, for each pixel of the target, its first one of the source, and weights from there on.

    Where the target is smaller, the filter is as much wider, so that no pixel is left out.

    Args:
        source: pixels of a row.
        target: pixels wanted.
        kernel: the filter.
        dtype: in which all of it is computed, and in this order. Where an edge covers half a pixel,
            the last bit says on which side of one half it comes out.

    Returns:
        int64 [target], and weights [target, taps]; those beyond the filter or the edge are 0.
    """
    real = np.dtype(dtype).type
    scale = real(source) / real(target)
    stretch = max(scale, real(1.0))
    reach = real(kernel.reach) * stretch
    centre = scale * (np.arange(target, dtype=dtype) + real(0.5))
    first = np.maximum((centre - reach + real(0.5)).astype(np.int64), 0)
    end = np.minimum((centre + reach + real(0.5)).astype(np.int64), source)
    tap = np.arange(int((end - first).max()), dtype=dtype)
    start = first.astype(dtype) - centre
    distance = (tap + start[:, np.newaxis] + real(0.5)) * (real(1.0) / stretch)
    weights = kernel.weight(distance)
    weights[tap >= (end - first)[:, np.newaxis]] = 0.0
    total = np.zeros(target, dtype)
    for column in weights.T:
        total += column
    return first, weights / total[:, np.newaxis]
