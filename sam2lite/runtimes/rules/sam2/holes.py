"""Small holes in a mask."""

import numpy as np

from sam2lite.runtimes.masks.components import small_parts

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
    small = small_parts(logits_hw <= 0, most_cells)
    if small is None:
        return logits_hw
    filled: np.ndarray = np.where(small, np.float32(FILLED), logits_hw)
    return filled
