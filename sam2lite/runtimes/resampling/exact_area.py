"""Shrinking bytes by area in whole numbers: the same on every processor.

OpenCV's INTER_AREA is, where every new pixel is made of whole old ones. Otherwise it adds shares in
float, and rounds otherwise on ARM than on x86: docs/adr/0015-same-bytes.md.
"""

import cv2
import numpy as np


def area_means(image_hw: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the mean of what each pixel of a smaller picture covers.

    Args:
        image_hw: uint8 [h, w], at most 2048 px a side.
        height: wanted, px; at most h.
        width: wanted, px; at most w.

    Returns:
        uint8 [height, width], rounded to nearest.
    """
    rows, columns = image_hw.shape
    if rows % height == 0 and columns % width == 0:
        means: np.ndarray = cv2.resize(image_hw, (width, height), interpolation=cv2.INTER_AREA)
        return means
    total = _row_sums(_row_sums(image_hw.astype(np.int32), height).T, width).T
    count = rows * columns  # of the parts that a mean is made of
    rounded: np.ndarray = (total + count // 2) // count
    return rounded.astype(np.uint8)


def _row_sums(image: np.ndarray, height: int) -> np.ndarray:
    """Return [height, w]: sums of what rows cover, an old row being `height` parts."""
    rows = len(image)
    edges = np.arange(height + 1, dtype=np.int32) * np.int32(
        rows
    )  # of new rows, in parts; old ones end at k * height
    first = edges[:-1] // height
    total = np.zeros((height, image.shape[1]), image.dtype)
    for tap in range(-(-rows // height) + 1):
        row = first + tap
        share = np.minimum(edges[1:], (row + 1) * height) - np.maximum(edges[:-1], row * height)
        total += np.maximum(share, 0)[:, np.newaxis] * image[np.minimum(row, rows - 1)]
    return total
