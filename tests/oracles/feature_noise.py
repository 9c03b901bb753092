"""A change of features in the last digits, to see what rounding memory makes of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_SHARE = 1e-6


def changed(draw: int | None) -> Callable[[Tensor], Tensor]:
    """Return what changes one map of features after another, each number by its own share.

    Args:
        draw: of random numbers; nothing is changed without it.
    """
    if draw is None:
        return lambda features: features
    made = torch.Generator().manual_seed(draw)
    return lambda features: features * (1.0 + _SHARE * torch.randn(features.shape, generator=made))
