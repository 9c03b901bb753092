"""Small parts of a mask: islands of the object, and holes in it."""

from typing import Optional

import cv2
import numpy as np

from sam2lite.errors import ArgumentError

_CORNERS_COUNT = 8  # pixels that touch at a corner belong together


def small_parts(
    part_hw: np.ndarray, most: int, keeps_largest: bool = False
) -> Optional[np.ndarray]:
    """Return where a picture's connected parts are small: bool [h, w]; None if none is.

    Args:
        part_hw: bool [h, w].
        most: pixels that a small part has.
        keeps_largest: whether the largest of all does not count as small.
    """
    _, label_hw, stats, _ = cv2.connectedComponentsWithStats(
        part_hw.view(np.uint8), connectivity=_CORNERS_COUNT
    )
    areas = stats[:, cv2.CC_STAT_AREA]
    small = areas <= most
    small[0] = False  # all that is no part
    if keeps_largest and len(areas) > 1:
        small[1 + int(np.argmax(areas[1:]))] = False
    if not small.any():
        return None
    found: np.ndarray = small[label_hw]
    return found


def cleaned(mask_hw: np.ndarray, islands: int = 0, holes: int = 0) -> np.ndarray:
    """Return a mask without small islands and holes; the argument itself if there are none.

    Holes are filled first, so that what they cut off from an object is no island. What is as small
    outside the mask at the picture's edge is filled as well. The largest part of an object stays,
    however small it is.

    Args:
        mask_hw: bool [h, w].
        islands: pixels that an island has at most; 0 removes none.
        holes: pixels that a hole has at most; 0 fills none.

    Raises:
        ArgumentError: the mask is not bool, or has not two dimensions.
    """
    if mask_hw.ndim != 2 or mask_hw.dtype != bool:
        raise ArgumentError(
            "a mask of shape {} and type {} cannot be cleaned; give bool [height, width]".format(
                mask_hw.shape, mask_hw.dtype
            )
        )
    filled = small_parts(np.ascontiguousarray(~mask_hw), holes) if holes else None
    if filled is not None and mask_hw.any():
        mask_hw = mask_hw | filled
    removed = None
    if islands:
        removed = small_parts(np.ascontiguousarray(mask_hw), islands, keeps_largest=True)
    return mask_hw if removed is None else mask_hw & ~removed
