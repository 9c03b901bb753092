"""Masks from one grid to another, as the published loops bring them there, and their precision."""

import cv2
import numpy as np

from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.runtimes.resampling.taps import taps

_HALF = 0x7FFF  # just below half of the last bit that bfloat16 keeps of a float32
_KEPT_BITS = 0xFFFF0000


def enlarged(image_hw: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize float32 [h, w] bilinearly by pixel centres, without smoothing."""
    if image_hw.shape == (height, width):
        return image_hw
    larger: np.ndarray = cv2.resize(image_hw, (width, height), interpolation=cv2.INTER_LINEAR)
    return larger


def antialiased(image_hw: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize float32 [h, w] bilinearly with a triangle as wide as what it shrinks by.

    OpenCV has no such filter: its INTER_LINEAR leaves pixels out, and its INTER_AREA is a box.
    """
    across = _filtered(np.ascontiguousarray(image_hw.T), width)
    return _filtered(np.ascontiguousarray(across.T), height)


def _filtered(rows: np.ndarray, length: int) -> np.ndarray:
    """Resize the first axis of float32 [n, m]; returns [length, m]."""
    if len(rows) == length:
        return rows
    first, weights = taps(len(rows), length)
    result = np.zeros((length, rows.shape[1]), np.float32)
    for tap in range(weights.shape[1]):
        index = np.minimum(first + tap, len(rows) - 1)
        result += weights[:, tap, np.newaxis] * rows[index]
    return result


def input_mask(mask_hw: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring a user's mask to the network's input.

    Args:
        mask_hw: bool [h, w] with at least one pixel set.
        height: of the input, px.
        width: of the input, px.

    Returns:
        float32 [height, width], 1 where at least half of a pixel is covered. A mask that covers no
        pixel by half keeps those that it covers most, so that what was pointed out is never lost.
    """
    mask = mask_hw.astype(np.float32)
    if mask.shape == (height, width):
        return mask
    covered = antialiased(mask, height, width)
    least = min(0.5, float(covered.max()))
    return (covered >= least).astype(np.float32)


def resampled_memory(memory_nc: np.ndarray, tokens: int, aspect: Aspect = SQUARE) -> np.ndarray:
    """Bring a frame's memory to another grid of the same form, bilinearly by its cells' centres.

    Args:
        memory_nc: float32 [cells, channels] of a grid, row after row; of any tokens where there are
            as many as are wanted.
        tokens: that are wanted: cells of a grid, too.
        aspect: of both grids.

    Returns:
        float32 [tokens, channels].
    """
    known, channels = memory_nc.shape
    if known == tokens:
        return memory_nc
    from_height, height = (
        round((count * aspect.height / aspect.width) ** 0.5) for count in (known, tokens)
    )
    from_width, width = known // from_height, tokens // height
    # Shrinking is smoothed: each new cell stands for all the old ones under it.
    down = _filtered(memory_nc.reshape(from_height, -1), height)
    down = down.reshape(height, from_width, channels)
    across = np.ascontiguousarray(down.transpose(1, 0, 2)).reshape(from_width, -1)
    back = _filtered(across, width).reshape(width, height, channels).transpose(1, 0, 2)
    return np.ascontiguousarray(back).reshape(height * width, channels)


def bfloat16_rounded(array: np.ndarray) -> np.ndarray:
    """Round float32 numbers that are finite to the nearest of bfloat16, to the even one of two."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    even = (bits >> np.uint32(16)) & np.uint32(1)
    kept: np.ndarray = ((bits + even + np.uint32(_HALF)) & np.uint32(_KEPT_BITS)).view(np.float32)
    return kept
