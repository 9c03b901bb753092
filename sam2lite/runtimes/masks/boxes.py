"""Boxes of masks, and of boxes that lie on one another the best."""

from typing import List, Optional, Sequence, Union

import cv2
import numpy as np


def box_of(mask_hw: np.ndarray) -> Optional[List[int]]:
    """Return x1, y1, x2, y2 of a mask, whose last corner is outside; None if it is empty.

    Args:
        mask_hw: bool [h, w].
    """
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(mask_hw).view(np.uint8))
    return [x, y, x + width, y + height] if width else None


def best_boxes(
    boxes: Union[np.ndarray, Sequence[Sequence[int]]],
    scores: Union[np.ndarray, Sequence[float]],
    most_iou: float,
) -> List[int]:
    """Return which boxes stay, the best first: none lies on a better one by more than an IoU.

    Of equal scores the first one is better.

    Args:
        boxes: x1, y1, x2, y2, of each.
        scores: of each.
        most_iou: that two boxes which stay have; 1 lets all stay.
    """
    boxes_n4 = np.asarray(boxes, np.float64).reshape(-1, 4)
    areas = (boxes_n4[:, 2] - boxes_n4[:, 0]) * (boxes_n4[:, 3] - boxes_n4[:, 1])
    left = np.argsort(-np.asarray(scores, np.float64), kind="mergesort")
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        sides = np.minimum(boxes_n4[best, 2:], boxes_n4[left, 2:])
        sides = sides - np.maximum(boxes_n4[best, :2], boxes_n4[left, :2])
        shared = np.maximum(sides, 0.0).prod(axis=1)
        union = areas[best] + areas[left] - shared
        left = left[shared <= most_iou * union]
    return kept
