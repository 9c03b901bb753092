"""Pictures of bytes, resized with a filter to the last bit as Pillow does it."""

import numpy as np

from sam2lite.runtimes.resampling.taps import Kernel, taps

# Weights are whole numbers of so many bits: sums of 255 of them fit 32, lobes below 0 included.
_BITS = 22


def resized_bytes(image_hwc: np.ndarray, height: int, width: int, kernel: Kernel) -> np.ndarray:
    """Resize uint8 [h, w] or [h, w, channels], first the rows, whose result is rounded to bytes."""
    across = image_hwc.swapaxes(0, 1)
    across = _filtered(across, width, kernel) if len(across) != width else across
    down = across.swapaxes(0, 1)
    down = _filtered(down, height, kernel) if len(down) != height else down
    return np.ascontiguousarray(down)


def _filtered(rows: np.ndarray, length: int, kernel: Kernel) -> np.ndarray:
    """Resize the first axis of uint8 [n, m, ...] to [length, m, ...]."""
    rows = np.ascontiguousarray(rows)
    first, weights = taps(len(rows), length, kernel, np.float64)
    scaled = weights * (1 << _BITS)
    whole = (scaled + np.copysign(0.5, scaled)).astype(np.int32)
    wide = rows.reshape(len(rows), -1)
    total = np.full((length, wide.shape[1]), 1 << (_BITS - 1), np.int32)
    part = np.empty_like(total)
    for tap in range(whole.shape[1]):
        index = np.minimum(first + tap, len(rows) - 1)
        np.multiply(wide[index], whole[:, tap, np.newaxis], out=part)
        total += part
    total >>= _BITS
    result: np.ndarray = np.clip(total, 0, 255, out=total).astype(np.uint8)
    return result.reshape((length, *rows.shape[1:]))
