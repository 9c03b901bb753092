"""Prompts as a user would give them, drawn from a mask: the first frame's slots."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.contracts.loop import (
    LABEL_BOX_BOTTOM_RIGHT,
    LABEL_BOX_TOP_LEFT,
    LABEL_NEGATIVE,
    LABEL_PAD,
    LABEL_POSITIVE,
    PROMPT_SLOTS,
)
from sam2lite.data.clips import deepest_point

# How often each kind is drawn. A click is what most users give, and the hardest.
CENTRE_CLICK, RANDOM_CLICK, SEVERAL_CLICKS, BOX, MASK = range(5)
KIND_SHARES = (0.25, 0.30, 0.10, 0.20, 0.15)
BOX_JITTER = 0.1  # of the box's sides, standard deviation, as in SAM (Kirillov et al. 2023, sec. A)
BOX_JITTER_MAX_PX = 20.0
EXACT_BOX_SHARE = 0.3
MOST_CLICKS = 4


class Slots(NamedTuple):
    """Prompt slots of one object; the bias follows from the labels.

    Shapes: `xy_norm_pc` float32 [P, 2], `label_p` int32 [P].
    """

    xy_norm_pc: NDArray[np.float32]
    label_p: NDArray[np.int32]


def empty_slots() -> Slots:
    """Return slots without a prompt."""
    return Slots(
        np.full((PROMPT_SLOTS, 2), 0.5, np.float32), np.full(PROMPT_SLOTS, LABEL_PAD, np.int32)
    )


def draw_prompt(
    rng: np.random.Generator, mask_hw: NDArray[np.bool_], kind: int | None = None
) -> tuple[Slots, bool]:
    """Draw a prompt for an object that is in view.

    Args:
        rng: of this sample.
        mask_hw: the object; one pixel at least.
        kind: of the prompt; drawn by `KIND_SHARES` if not given.

    Returns:
        The slots, and whether the mask itself is given as well.
    """
    if kind is None:
        kind = int(rng.choice(len(KIND_SHARES), p=KIND_SHARES))
    slots = empty_slots()
    if kind == MASK:
        return slots, True
    if kind == BOX:
        _put(slots, _box_corners(rng, mask_hw), [LABEL_BOX_TOP_LEFT, LABEL_BOX_BOTTOM_RIGHT])
        return slots, False
    if kind == CENTRE_CLICK:
        _put(slots, _centre(mask_hw)[None], [LABEL_POSITIVE])
        return slots, False
    count = int(rng.integers(2, MOST_CLICKS + 1)) if kind == SEVERAL_CLICKS else 1
    positive = [LABEL_POSITIVE] + [
        int(rng.choice([LABEL_POSITIVE, LABEL_NEGATIVE])) for _ in range(count - 1)
    ]
    xy = [_inside(rng, mask_hw if label == LABEL_POSITIVE else ~mask_hw) for label in positive]
    _put(slots, np.stack(xy), positive)
    return slots, False


def _put(slots: Slots, xy_norm: NDArray[np.float64], labels: list[int]) -> None:
    slots.xy_norm_pc[: len(labels)] = xy_norm
    slots.label_p[: len(labels)] = labels


def _centre(mask_hw: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the point deepest inside a mask, as a share of the frame."""
    return (np.array(deepest_point(mask_hw)) + 0.5) / mask_hw.shape[::-1]


def _inside(rng: np.random.Generator, mask_hw: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the centre of a random pixel of a mask; anywhere if it is empty."""
    index = np.flatnonzero(mask_hw)
    chosen = int(index[rng.integers(len(index))]) if len(index) else int(rng.integers(mask_hw.size))
    y, x = divmod(chosen, mask_hw.shape[1])
    return (np.array([x, y]) + 0.5) / mask_hw.shape[::-1]


def _box_corners(rng: np.random.Generator, mask_hw: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the corners of the box around a mask, mostly jittered, as shares of the frame."""
    x, y, width, height = cv2.boundingRect(mask_hw.astype(np.uint8))
    corners = np.array([[x, y], [x + width, y + height]], np.float64)
    if rng.random() >= EXACT_BOX_SHARE:
        deviation = np.minimum(BOX_JITTER * np.array([width, height]), BOX_JITTER_MAX_PX)
        corners += rng.normal(0.0, 1.0, (2, 2)) * deviation
        corners = np.sort(corners, axis=0)
    clipped: NDArray[np.float64] = np.clip(corners / mask_hw.shape[::-1], 0.0, 1.0)
    return clipped
