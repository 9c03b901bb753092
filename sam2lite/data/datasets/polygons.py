"""Polygons as pixels, the same ones that COCO's own code finds.

Corners are rounded to fifths of a pixel, and edges run on that fine grid. Which row an edge crosses
is looked up where the middle of a pixel's column is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FINE = 5  # columns and rows in a pixel
_MIDDLE = 2  # of them come before the middle of a pixel


def polygon_mask(corners_xy: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels inside a polygon by the even-odd rule.

    An edge toggles, in every column whose middle it crosses, all pixels below the crossing.

    Args:
        corners_xy: [n, 2], px, not far from the picture; the last one is joined to the first.
        height: of the picture, px.
        width: of the picture, px.

    Returns:
        bool [height, width].
    """
    fine_xy = np.trunc(_FINE * corners_xy + 0.5)
    toggles = np.zeros((height + 1, width), bool)
    for start_xy, end_xy in zip(fine_xy, np.roll(fine_xy, -1, axis=0), strict=True):
        columns, rows = _crossings(start_xy, end_xy, width)
        top = np.ceil(np.clip((rows + 0.5) / _FINE - 0.5, 0, height)).astype(int)
        toggles[top, columns] ^= True
    return np.asarray(np.logical_xor.accumulate(toggles[:height], axis=0), bool)


def _crossings(
    start_xy: NDArray[np.float64], end_xy: NDArray[np.float64], width: int
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the columns whose middle an edge crosses, and the upper fine row of each crossing."""
    steep = abs(end_xy[0] - start_xy[0]) < abs(end_xy[1] - start_xy[1])
    if start_xy[int(steep)] > end_xy[int(steep)]:
        start_xy, end_xy = end_xy, start_xy
    left, right = sorted((start_xy[0], end_xy[0]))
    first = max(0, int(np.ceil((left - _MIDDLE) / _FINE)))
    last = min(width - 1, int(np.floor((right - _MIDDLE - 1) / _FINE)))
    columns = np.arange(first, last + 1)
    if not len(columns):
        return columns, columns
    before = _FINE * columns + _MIDDLE  # the fine column left of the middle
    x, y = start_xy
    if not steep:
        slope = (end_xy[1] - y) / (end_xy[0] - x)
        rows = [np.trunc(y + slope * (fine - x) + 0.5) for fine in (before, before + 1)]
        return columns, np.minimum(*rows)
    slope = (end_xy[0] - x) / (end_xy[1] - y)
    # The first step on the other side of the middle, found but for rounding and then exactly.
    steps = np.ceil((before + 0.5 - x) / slope) - 1
    for _ in range(2):
        is_right = np.trunc(x + slope * steps + 0.5) > before
        steps += is_right != (slope > 0)
    return columns, y + steps - 1
