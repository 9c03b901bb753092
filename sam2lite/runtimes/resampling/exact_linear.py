"""Bilinear resizing of bytes in whole numbers: the same on every processor.

OpenCV has it too, as INTER_LINEAR_EXACT, and ten times as quick. Its INTER_LINEAR is whatever is
quickest on a processor, and on ARM rounds otherwise than on x86: docs/adr/0015-same-bytes.md.
"""

from functools import lru_cache
from typing import Any, Optional, Tuple

import cv2
import numpy as np

_ONE = 256  # weights are whole 256ths
_PROBED = (32, 48)  # height and width of the picture that OpenCV is tried on


def resized(
    image: np.ndarray, height: int, width: int, target: Optional[np.ndarray] = None
) -> np.ndarray:
    """Resize, by pixel centres and without smoothing; bytes to the same bytes everywhere.

    Args:
        image: [h, w] or [h, w, channels], uint8; or of a float type, for which OpenCV rounds as it
            likes.
        height: wanted, px.
        width: wanted, px.
        target: of that shape and type, to be written; a new array if not given.
    """
    if image.dtype != np.uint8:
        return _by_opencv(image, height, width, cv2.INTER_LINEAR, target)
    if opencv_is_exact():
        return _by_opencv(image, height, width, _filter_for(image, height, width), target)
    result = in_whole_numbers(image, height, width)
    if target is None:
        return result
    target[...] = result
    return target


def in_whole_numbers(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Do that in NumPy: uint8 [h, w] or [h, w, channels] to the bytes of INTER_LINEAR_EXACT."""
    first, weights = _pairs(image.shape[1], width)
    shape = (1, width) + (1,) * (image.ndim - 2)
    left, right = (weight.reshape(shape) for weight in weights)
    wide = image.astype(np.uint32)
    across = wide[:, first[0]] * left + wide[:, first[1]] * right
    first, weights = _pairs(image.shape[0], height)
    shape = (height,) + (1,) * (image.ndim - 1)
    upper, lower = (weight.reshape(shape) for weight in weights)
    total = across[first[0]] * upper + across[first[1]] * lower
    whole: np.ndarray = (total + np.uint32(_ONE * _ONE // 2)) // np.uint32(_ONE * _ONE)
    return whole.astype(np.uint8)


@lru_cache(maxsize=None)
def opencv_is_exact() -> bool:
    """Return whether this OpenCV has the filter, and gives its bytes for a small picture.

    Boards have builds of their makers, which may bring filters of their own.
    """
    if not hasattr(cv2, "INTER_LINEAR_EXACT"):
        return False
    rows, columns = _PROBED
    values = np.arange(rows * columns * 3) * 40503 // 7 % 256
    picture = values.astype(np.uint8).reshape(rows, columns, 3)
    return all(
        np.array_equal(
            _by_opencv(picture, height, width, _filter_for(picture, height, width), None),
            in_whole_numbers(picture, height, width),
        )
        for height, width in ((23, 32), (rows // 2, columns), (rows, columns // 2))
    )


def _filter_for(image: np.ndarray, height: int, width: int) -> int:
    """Return OpenCV's quickest filter that is exact for these sizes."""
    rows, columns = image.shape[:2]
    # At one half of one axis there is nothing to round otherwise, and it takes half the time.
    if (rows, columns) in ((2 * height, width), (height, 2 * width)):
        return cv2.INTER_LINEAR
    return cv2.INTER_LINEAR_EXACT


def _by_opencv(
    image: np.ndarray, height: int, width: int, filter_: int, target: Optional[np.ndarray]
) -> np.ndarray:
    result: np.ndarray = cv2.resize(image, (width, height), dst=target, interpolation=filter_)
    return result


def _pairs(source: int, target: int) -> Tuple[Any, Any]:
    """Return the two pixels that each new one lies between, and their weights in 256ths."""
    # In this order, as OpenCV: elsewhere the last bit would put a weight on the other side of 1/2.
    scale = 1.0 / (float(target) / source)
    place = scale * (np.arange(target) + 0.5) - 0.5
    below = np.floor(place)
    weight = np.rint((place - below) * _ONE).astype(np.int64)
    lower = below.astype(np.int64)
    weight[(lower < 0) | (lower >= source - 1)] = 0
    first = np.clip(lower, 0, source - 1)
    second = np.minimum(first + 1, source - 1)
    return (first, second), (
        (_ONE - weight).astype(np.uint32),
        weight.astype(np.uint32),
    )
