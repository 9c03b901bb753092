"""Masks from one grid to another, as the published loops bring them there, and their precision."""

from typing import Tuple

import cv2
import numpy as np

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
    first, weights = _taps(len(rows), length)
    result = np.zeros((length, rows.shape[1]), np.float32)
    for tap in range(weights.shape[1]):
        index = np.minimum(first + tap, len(rows) - 1)
        result += weights[:, tap, np.newaxis] * rows[index]
    return result


def _taps(source: int, target: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return, for each row of the target, its first row of the source, and weights from there on.

    Weights are float32 [target, taps]; those beyond the triangle or the edge are 0.
    """
    # In float32 and in this order, as PyTorch has it: where an edge covers half a pixel, the last
    # bit says on which side of one half it comes out.
    scale = np.float32(source) / np.float32(target)
    reach = max(scale, np.float32(1.0))
    centre = scale * (np.arange(target, dtype=np.float32) + np.float32(0.5))
    first = np.maximum((centre - reach + np.float32(0.5)).astype(np.int64), 0)
    end = np.minimum((centre + reach + np.float32(0.5)).astype(np.int64), source)
    tap = np.arange(int((end - first).max()), dtype=np.float32)
    start = first.astype(np.float32) - centre
    distance = (tap + start[:, np.newaxis] + np.float32(0.5)) * (np.float32(1.0) / reach)
    weights = np.maximum(np.float32(1.0) - np.abs(distance), np.float32(0.0))
    weights[tap >= (end - first)[:, np.newaxis]] = 0.0
    total = np.zeros(target, np.float32)
    for column in weights.T:
        total += column
    return first, weights / total[:, np.newaxis]


def input_mask(mask_hw: np.ndarray, size: int) -> np.ndarray:
    """Bring a user's mask to the network's input.

    Args:
        mask_hw: bool [height, width] with at least one pixel set.
        size: of the input, px.

    Returns:
        float32 [size, size], 1 where at least half of a pixel is covered. A mask that covers no
        pixel by half keeps those that it covers most, so that what was pointed out is never lost.
    """
    mask = mask_hw.astype(np.float32)
    if mask.shape == (size, size):
        return mask
    covered = antialiased(mask, size, size)
    least = min(0.5, float(covered.max()))
    return (covered >= least).astype(np.float32)


def resampled_memory(memory_nc: np.ndarray, tokens: int) -> np.ndarray:
    """Bring a frame's memory to another grid, bilinearly by the centres of its cells.

    Args:
        memory_nc: float32 [cells, channels] of a square grid, row after row; of any tokens where
            there are as many as are wanted.
        tokens: that are wanted: cells of a square grid, too.

    Returns:
        float32 [tokens, channels].
    """
    if len(memory_nc) == tokens:
        return memory_nc
    from_side, side = (round(count**0.5) for count in (len(memory_nc), tokens))
    channels = memory_nc.shape[1]
    # Shrinking is smoothed: each new cell stands for all the old ones under it.
    grid = memory_nc.reshape(from_side, -1)
    down = _filtered(grid, side).reshape(side, from_side, channels)
    across = np.ascontiguousarray(down.transpose(1, 0, 2)).reshape(from_side, -1)
    back = _filtered(across, side).reshape(side, side, channels).transpose(1, 0, 2)
    return np.ascontiguousarray(back).reshape(side * side, channels)


def bfloat16_rounded(array: np.ndarray) -> np.ndarray:
    """Round float32 numbers that are finite to the nearest of bfloat16, to the even one of two."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    even = (bits >> np.uint32(16)) & np.uint32(1)
    kept: np.ndarray = ((bits + even + np.uint32(_HALF)) & np.uint32(_KEPT_BITS)).view(np.float32)
    return kept
