"""Prompts for the first frame, made from the truth as a careful user would give them."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from sam2lite.data.clips import deepest_point
from sam2lite.errors import UnknownNameError
from sam2lite.evaluation.metrics import Mask
from sam2lite.runtimes.prompts import Prompt


def exact_box(mask_hw: Mask) -> tuple[int, int, int, int]:
    """Return x1, y1, x2, y2 of the pixels of a mask; x2 and y2 lie just beyond them.

    Args:
        mask_hw: bool [height, width], not empty.
    """
    x, y, width, height = cv2.boundingRect(mask_hw.astype(np.uint8))
    return x, y, x + width, y + height


PROMPTS: Mapping[str, Callable[[Mask], Prompt]] = {
    "click": lambda mask_hw: Prompt(points=[deepest_point(mask_hw)]),
    "box": lambda mask_hw: Prompt(box=exact_box(mask_hw)),
    "mask": lambda mask_hw: Prompt(mask=mask_hw),
}


def check_prompt_kind(kind: str) -> None:
    """Raise UnknownNameError unless `kind` is one of `PROMPTS`."""
    if kind not in PROMPTS:
        raise UnknownNameError("prompt", kind, PROMPTS)
