"""Pictures of bytes, resized with a filter: axis by axis, each of which is rounded to bytes."""

import numpy as np

from sam2lite.runtimes.resampling.taps import CUBIC, TRIANGLE, Kernel, taps

# Weights are whole numbers of so many bits: sums of 255 of them fit 32, lobes below 0 included.
_BITS = 22


def bicubic(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize uint8 [h, w] or [h, w, channels] to the last bit as Pillow 13 does."""
    down, across = len(image) - height, image.shape[1] - width
    # Which axis comes first decides a grey level here and there.
    if down > max(0, 2 * across):
        return _columns(_rows(image, height, CUBIC), width, CUBIC)
    return _rows(_columns(image, width, CUBIC), height, CUBIC)


def antialiased(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize uint8 [h, w] or [h, w, channels] bilinearly, to a grey level as PyTorch does."""
    return _rows(_columns(image, width, TRIANGLE), height, TRIANGLE)


def _columns(image: np.ndarray, width: int, kernel: Kernel) -> np.ndarray:
    """Return uint8 with so many columns."""
    return _rows(image.swapaxes(0, 1), width, kernel).swapaxes(0, 1)


def _rows(image: np.ndarray, height: int, kernel: Kernel) -> np.ndarray:
    """Return uint8 with so many rows."""
    image = np.ascontiguousarray(image)
    if len(image) == height:
        return image
    first, weights = taps(len(image), height, kernel, np.float64)
    scaled = weights * (1 << _BITS)
    whole = (scaled + np.copysign(0.5, scaled)).astype(np.int32)
    wide = image.reshape(len(image), -1)
    total = np.full((height, wide.shape[1]), 1 << (_BITS - 1), np.int32)
    part = np.empty_like(total)
    for tap in range(whole.shape[1]):
        index = np.minimum(first + tap, len(image) - 1)
        np.multiply(wide[index], whole[:, tap, np.newaxis], out=part)
        total += part
    total >>= _BITS
    result: np.ndarray = np.clip(total, 0, 255, out=total).astype(np.uint8)
    return result.reshape((height, *image.shape[1:]))
