"""Many masks on one picture, for people to look at."""

from typing import Sequence

import cv2
import numpy as np

from sam2lite.runtimes import rle
from sam2lite.runtimes.masks.everything import FoundMask

_OPACITY = 0.55
_GOLDEN = 0.6180339887  # of the circle of hues: neighbours in a list differ, however long it is
_HUES = 180  # of OpenCV


def draw_everything(picture_bgr: np.ndarray, masks: Sequence[FoundMask]) -> np.ndarray:
    """Return a copy of a picture with all masks tinted and outlined, small ones on top.

    Args:
        picture_bgr: uint8 [height, width, 3].
        masks: of the picture.
    """
    drawn = picture_bgr.copy()
    for place, found in enumerate(sorted(masks, key=lambda each: -each.area)):
        mask_hw = rle.decode(found.rle)
        colour = _colour(place)
        tinted = (1 - _OPACITY) * picture_bgr[mask_hw] + _OPACITY * np.array(colour, np.float32)
        drawn[mask_hw] = tinted.astype(np.uint8)
        # OpenCV 3 returns three values, later ones two.
        outlines = cv2.findContours(
            mask_hw.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )[-2]
        cv2.drawContours(drawn, outlines, -1, colour, 1 + picture_bgr.shape[0] // 480)
    return drawn


def _colour(place: int) -> Sequence[int]:
    hue = int(_HUES * ((place * _GOLDEN) % 1.0))
    pixel = np.array([[[hue, 200, 255]]], np.uint8)
    return [int(each) for each in cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0]]
