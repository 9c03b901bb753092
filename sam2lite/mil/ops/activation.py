"""Activation functions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.mil.steps import Handler


def relu(*, x: Tensor) -> Tensor:
    """`max(x, 0)`."""
    return torch.relu(x)


def relu6(*, x: Tensor) -> Tensor:
    """`min(max(x, 0), 6)`."""
    return F.relu6(x)


def leaky_relu(*, x: Tensor, alpha: Tensor) -> Tensor:
    """`x`, times alpha where it is negative."""
    return torch.where(x >= 0, x, alpha * x)


def elu(*, x: Tensor, alpha: Tensor) -> Tensor:
    """`x`, alpha (e^x - 1) where it is negative."""
    return torch.where(x >= 0, x, alpha * torch.expm1(x))


def sigmoid(*, x: Tensor) -> Tensor:
    """`1 / (1 + e^-x)`."""
    return torch.sigmoid(x)


def sigmoid_hard(*, x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """`alpha x + beta`, limited to 0..1."""
    return (alpha * x + beta).clamp(0.0, 1.0)


def silu(*, x: Tensor) -> Tensor:
    """`x sigmoid(x)`."""
    return F.silu(x)


def softplus(*, x: Tensor) -> Tensor:
    """`log(1 + e^x)`."""
    return F.softplus(x)


def gelu(*, x: Tensor, mode: str) -> Tensor:
    """Gaussian error linear unit, exact or by one of two approximations."""
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    return F.gelu(x, approximate="tanh" if mode == "TANH_APPROXIMATION" else "none")


HANDLERS: dict[str, Handler] = {
    "elu": elu,
    "gelu": gelu,
    "leaky_relu": leaky_relu,
    "relu": relu,
    "relu6": relu6,
    "sigmoid": sigmoid,
    "sigmoid_hard": sigmoid_hard,
    "silu": silu,
    "softplus": softplus,
}
