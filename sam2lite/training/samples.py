"""From a clip to what a training step needs: frames, a few targets, their first prompts."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.runtimes.rules.sam2lite.motion import MotionSignal
from sam2lite.training.clip import TrainingClip
from sam2lite.training.prompts import Slots, draw_prompt

MASK_STRIDE = 4
LEAST_AREA = 0.0015  # of the frame, for an object to be pointed at
PART_SHARE = 0.1  # targets that are one part of an object
LEAST_PART = 0.15  # of its object, for a part to be a target


class Sample(NamedTuple):
    """One clip with N targets.

    Shapes: `image_tchw` uint8 [T, 3, R, R]; `mask_nthw` uint8 [N, T, R/4, R/4], the covered share
    of each cell in 255ths; `xy_norm_npc` float32 [N, P, 2]; `label_np` int32 [N, P]; `masked_n`
    bool [N], the mask of the first frame is given; `change_tg` and `gradient_tg` float32 [T, G],
    the two maps of `runtimes.motion`; `known_t` bool [T], which masks are known.
    """

    image_tchw: NDArray[np.uint8]
    mask_nthw: NDArray[np.uint8]
    xy_norm_npc: NDArray[np.float32]
    label_np: NDArray[np.int32]
    masked_n: NDArray[np.bool_]
    change_tg: NDArray[np.float32]
    gradient_tg: NDArray[np.float32]
    known_t: NDArray[np.bool_]


def draw_sample(
    rng: np.random.Generator, clip: TrainingClip, targets: int, prompt_kind: int | None = None
) -> Sample | None:
    """Choose targets in a clip and prompt them.

    Args:
        rng: of this sample.
        clip: whose first frame is labelled.
        targets: how many at most.
        prompt_kind: one of `prompts`; drawn if not given.

    Returns:
        None if the clip shows no object in its first frame.
    """
    masks = _choose_targets(rng, clip.labels_thw, clip.parts_thw, targets)
    if not masks:
        return None
    prompts: list[tuple[Slots, bool]] = [
        draw_prompt(rng, mask_thw[0], prompt_kind) for mask_thw in masks
    ]
    change_tg, gradient_tg = _motion_maps(clip.frames_rgb_thwc)
    return Sample(
        np.ascontiguousarray(clip.frames_rgb_thwc.transpose(0, 3, 1, 2)),
        np.stack([_shares(mask_thw) for mask_thw in masks]),
        np.stack([slots.xy_norm_pc for slots, _ in prompts]),
        np.stack([slots.label_p for slots, _ in prompts]),
        np.array([masked for _, masked in prompts]),
        change_tg,
        gradient_tg,
        clip.known_t,
    )


def _choose_targets(
    rng: np.random.Generator,
    labels_thw: NDArray[np.uint8],
    parts_thw: NDArray[np.uint8],
    count: int,
) -> list[NDArray[np.bool_]]:
    """Return masks [T, H, W] of different objects, or parts of them, seen in the first frame."""
    area = np.bincount(labels_thw[0].ravel(), minlength=2)
    seen = [
        int(label) for label in np.flatnonzero(area >= LEAST_AREA * labels_thw[0].size) if label
    ]
    rng.shuffle(seen)
    masks = []
    for label in seen[:count]:
        mask_thw = labels_thw == label
        if rng.random() < PART_SHARE:
            part_area = np.bincount(parts_thw[0][mask_thw[0]])
            part_area[:1] = 0
            large = np.flatnonzero(part_area >= LEAST_PART * area[label])
            if len(large) and part_area.max() < area[label]:
                mask_thw = mask_thw & (parts_thw == rng.choice(large))
        masks.append(mask_thw)
    return masks


def _shares(mask_thw: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return how much of each stride-4 cell is covered, in 255ths; shape [T, H/4, W/4]."""
    _, height, width = mask_thw.shape
    size = (width // MASK_STRIDE, height // MASK_STRIDE)
    return np.stack(
        [
            cv2.resize(mask_hw.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
            for mask_hw in mask_thw
        ]
    ).astype(np.uint8)


def _motion_maps(
    frames_rgb_thwc: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    signal = MotionSignal()
    maps = []
    for frame in frames_rgb_thwc:
        signal.update(frame.transpose(2, 0, 1)[None])
        maps.append(signal.maps())
    change, gradient = zip(*maps, strict=True)
    return np.stack(change).astype(np.float32), np.stack(gradient).astype(np.float32)
