"""Small holes in a mask."""

import cv2
import numpy as np

FILLED = 0.1  # the logit of what was a hole


def without_holes(logits_hw: np.ndarray, most_cells: int) -> np.ndarray:
    """Fill holes, and everything else outside the mask that is as small.

    Args:
        logits_hw: float32 [h, w]; above 0 is the object.
        most_cells: that a hole has, none if 0; cells that touch at a corner belong together.

    Returns:
        float32 [h, w], the argument itself where there is nothing to fill.
    """
    if not most_cells:
        return logits_hw
    outside = (logits_hw <= 0).astype(np.uint8)
    _, label_hw, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] <= most_cells
    small[0] = False  # the mask itself
    if not small.any():
        return logits_hw
    filled: np.ndarray = np.where(small[label_hw], np.float32(FILLED), logits_hw)
    return filled
