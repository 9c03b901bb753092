"""Frames for networks with random weights: they must differ enough for an object to come and go."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.oracles.scenarios import FRAMES, SIDE


def random_clip(seed: int, side: int = SIDE, width: int | None = None) -> list[Tensor]:
    """Return frames, uint8 `[1, 3, side, width]`: soft patterns that drift from one to another.

    Args:
        seed: of what is drawn.
        side: height of the frames, px.
        width: of the frames, px; their height if not given.
    """
    width = side if width is None else width
    made = torch.Generator().manual_seed(seed)
    knots = torch.rand(5, 3, 6, 6, generator=made)
    frames = []
    for index in range(FRAMES):
        place = index / (FRAMES - 1) * (len(knots) - 1)
        first = min(int(place), len(knots) - 2)
        coarse = torch.lerp(knots[first], knots[first + 1], place - first)
        fine = 0.15 * torch.rand(1, 3, side, width, generator=made)
        image = F.interpolate(coarse[None], (side, width), mode="bicubic") * 0.85 + fine
        frames.append((image.clamp(0, 1) * 255).to(torch.uint8))
    return frames
