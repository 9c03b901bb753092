"""Masks that the decoder starts from: a user's, and those of earlier frames."""

import cv2
import numpy as np

LOGIT_SPAN = 20.0  # a mask prompt's pixels become logits of -10 to 10, as in SAM 2


def mask_logits(mask_hw: np.ndarray, side: int) -> np.ndarray:
    """Turn a mask into `mask_prompt_b1hw`: the share of each cell that it covers, as logits.

    Args:
        mask_hw: bool or integer [height, width] of the frame's size; what is not 0 is the object.
        side: of the network's masks, cells.

    Returns:
        float32 [1, 1, side, side], -10 where the mask is not and 10 where it is.
    """
    shrinks = side <= min(mask_hw.shape)
    coverage = cv2.resize(
        (mask_hw != 0).astype(np.float32),
        (side, side),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    logits_hw: np.ndarray = LOGIT_SPAN * coverage - LOGIT_SPAN / 2
    return logits_hw[np.newaxis, np.newaxis]


def resized(logits_hw: np.ndarray, side: int) -> np.ndarray:
    """Bring logits of any input size to `mask_prompt_b1hw`, float32 [1, 1, side, side]."""
    if logits_hw.shape != (side, side):
        logits_hw = cv2.resize(logits_hw, (side, side), interpolation=cv2.INTER_LINEAR)
    return logits_hw[np.newaxis, np.newaxis]
