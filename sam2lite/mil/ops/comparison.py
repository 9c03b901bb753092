"""Comparisons, logic, and the choice by them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sam2lite.mil.steps import Handler


def _binary(kernel: Callable[[Tensor, Tensor], Tensor], *, x: Tensor, y: Tensor) -> Tensor:
    return kernel(x, y)


def logical_not(*, x: Tensor) -> Tensor:
    """Not."""
    return torch.logical_not(x)


def select(*, cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Take `a` where the condition holds, `b` elsewhere."""
    return torch.where(cond, a, b)


_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "equal": torch.eq,
    "not_equal": torch.ne,
    "less": torch.lt,
    "less_equal": torch.le,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "logical_and": torch.logical_and,
    "logical_or": torch.logical_or,
    "logical_xor": torch.logical_xor,
}
HANDLERS: dict[str, Handler] = {
    **{name: partial(_binary, kernel) for name, kernel in _BINARY.items()},
    "logical_not": logical_not,
    "select": select,
}
