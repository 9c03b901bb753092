"""Products of matrices."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.mil.steps import Handler


def linear(*, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`x weight^T + bias` over the last axis."""
    return F.linear(x, weight, bias)


def matmul(*, x: Tensor, y: Tensor, transpose_x: Tensor, transpose_y: Tensor) -> Tensor:
    """Matrix product over the last two axes, the others broadcast."""
    left = x.transpose(-1, -2) if transpose_x else x
    right = y.transpose(-1, -2) if transpose_y else y
    return left @ right


def einsum(*, values: list[Tensor], equation: str) -> Tensor:
    """Product and sum by an equation."""
    return torch.einsum(equation, *values)


HANDLERS: dict[str, Handler] = {"einsum": einsum, "linear": linear, "matmul": matmul}
