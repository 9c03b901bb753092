"""Normalisations and softmax."""

from __future__ import annotations

import torch
from torch import Tensor

from sam2lite.mil.steps import Handler


def _per_channel(values: Tensor, rank: int) -> Tensor:
    return values.reshape(-1, *[1] * (rank - 2))


def batch_norm(
    *,
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    epsilon: Tensor,
) -> Tensor:
    """Normalise every channel (axis 1) by stored statistics."""
    scale = torch.rsqrt(variance + epsilon) * (1.0 if gamma is None else gamma)
    y = (x - _per_channel(mean, x.ndim)) * _per_channel(scale, x.ndim)
    return y if beta is None else y + _per_channel(beta, x.ndim)


def _standardised(x: Tensor, dims: list[int], epsilon: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, dim=dims, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + epsilon)


def instance_norm(
    *, x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: Tensor
) -> Tensor:
    """Normalise every channel of every sample by its own statistics."""
    y = _standardised(x, list(range(2, x.ndim)), epsilon)
    y = y if gamma is None else y * _per_channel(gamma, x.ndim)
    return y if beta is None else y + _per_channel(beta, x.ndim)


def layer_norm(
    *, x: Tensor, axes: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: Tensor
) -> Tensor:
    """Normalise over some axes; gamma and beta have the shape of those."""
    dims = sorted(axis % x.ndim for axis in axes.tolist())
    own = [size if axis in dims else 1 for axis, size in enumerate(x.shape)]
    y = _standardised(x, dims, epsilon)
    y = y if gamma is None else y * gamma.reshape(own)
    return y if beta is None else y + beta.reshape(own)


def softmax(*, x: Tensor, axis: Tensor) -> Tensor:
    """Exponentials along an axis, divided by their sum."""
    return torch.softmax(x, dim=int(axis))


HANDLERS: dict[str, Handler] = {
    "batch_norm": batch_norm,
    "instance_norm": instance_norm,
    "layer_norm": layer_norm,
    "softmax": softmax,
}
