"""Values on a grid as pictures for people: uint8, BGR."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_COLOURS = 3


def by_rank(values_hwk: NDArray[np.float64]) -> Picture:
    """Return up to three values a cell as red, green and blue, each by its rank in the picture.

    Ranks use all of a channel, whatever the values' scale; equal values have one rank.

    Args:
        values_hwk: the first three count; missing ones are grey.
    """
    rows, columns, count = values_hwk.shape
    picture = np.full((rows, columns, _COLOURS), 128, np.uint8)
    for channel in range(min(count, _COLOURS)):
        flat = np.round(values_hwk[..., channel].ravel(), 12)
        _, place, occurs = np.unique(flat, return_inverse=True, return_counts=True)
        middle = np.cumsum(occurs) - (occurs + 1) / 2
        share = middle / max(1, flat.size - 1)
        picture[..., 2 - channel] = np.round(255 * share[place]).reshape(rows, columns)
    return picture


def heat(values_hw: NDArray[np.floating], low: float, high: float) -> Picture:
    """Return values as colours from dark (low) to bright (high)."""
    span = max(high - low, float(np.finfo(np.float32).tiny))
    grey = np.clip((values_hw - low) / span, 0.0, 1.0)
    return np.asarray(
        cv2.applyColorMap(np.round(255 * grey).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    )


def enlarged(picture: Picture, width: int, height: int) -> Picture:
    """Return a picture at another size; cells stay square patches of one colour."""
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST))


def with_cross(picture: Picture, x: float, y: float) -> Picture:
    """Return a copy with a cross at a point, white on black."""
    marked = picture.copy()
    place = (round(x), round(y))
    size = max(9, min(picture.shape[:2]) // 20)
    for colour, thickness in (((0, 0, 0), 4), ((255, 255, 255), 2)):
        cv2.drawMarker(marked, place, colour, cv2.MARKER_CROSS, size, thickness)
    return marked
