"""What lies behind an object: nobody knows, so it is filled in from around the hole."""

import cv2
import numpy as np
from numpy.typing import NDArray

_FILLED_SIDE_PX = 96  # a hole is filled at this size: what is there is guessed anyway
_RADIUS_PX = 3.0
_GROWN = 0.012  # of the longest side, beyond the mask, so that no rim of the object stays


def without_objects(
    image_rgb_hwc: NDArray[np.uint8], mask_hw: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a picture with the masked part filled in.

    The fill is made small by OpenCV's `inpaint` (Telea) and has grain of the strength that the
    rest of the picture has, or a smooth patch would tell where the object was.

    Args:
        image_rgb_hwc: uint8 [H, W, 3].
        mask_hw: bool [H, W].
        rng: of the grain.
    """
    height, width = mask_hw.shape
    grow = 2 * round(_GROWN * max(height, width)) + 3
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow))
    hole = cv2.dilate(mask_hw.astype(np.uint8), kernel)
    if hole.all():
        return image_rgb_hwc
    scale = min(1.0, _FILLED_SIDE_PX / max(height, width))
    size = (max(8, round(scale * width)), max(8, round(scale * height)))
    small = cv2.resize(image_rgb_hwc, size, interpolation=cv2.INTER_AREA)
    touched = (cv2.resize(hole * 255, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    filled = cv2.inpaint(small, touched, _RADIUS_PX, cv2.INPAINT_TELEA)
    large = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    again = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    detail = cv2.absdiff(image_rgb_hwc, again)
    strength = cv2.mean(detail, 1 - hole)[0]
    grain = rng.standard_normal((height // 2 + 1, width // 2 + 1), dtype=np.float32) * strength
    grain_hw = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    speckled = cv2.add(large, cv2.merge([grain_hw] * 3), dtype=cv2.CV_8U)
    soft = cv2.GaussianBlur(hole.astype(np.float32), (5, 5), 0)
    return np.asarray(cv2.blendLinear(speckled, image_rgb_hwc, soft, 1 - soft), np.uint8)
