"""Average and maximum over sliding windows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.mil.ops.window import border, last_first
from sam2lite.mil.steps import Handler

_AVERAGE: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAXIMUM: dict[int, Callable[..., Tensor]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _bordered(
    x: Tensor,
    value: float,
    kernel_sizes: Tensor,
    strides: Tensor,
    pad_type: str,
    pad: Tensor | None,
    ceil_mode: Tensor,
) -> Tensor:
    if ceil_mode:
        raise NotImplementedError("pooling with ceil_mode")
    sides = border(pad_type, pad, list(x.shape[2:]), kernel_sizes.tolist(), strides.tolist())
    return F.pad(x, last_first(sides), value=value)


def avg_pool(
    *,
    x: Tensor,
    kernel_sizes: Tensor,
    strides: Tensor,
    pad_type: str,
    pad: Tensor | None,
    exclude_padding_from_average: Tensor,
    ceil_mode: Tensor,
) -> Tensor:
    """Average of every window; the border counts as zeros, or not at all."""
    window = (kernel_sizes, strides, pad_type, pad, ceil_mode)
    kernel, stride = kernel_sizes.tolist(), strides.tolist()
    pool = _AVERAGE[x.ndim - 2]
    mean = pool(_bordered(x, 0.0, *window), kernel, stride)
    if not exclude_padding_from_average:
        return mean
    inside = pool(_bordered(torch.ones_like(x), 0.0, *window), kernel, stride)
    return mean / inside


def max_pool(
    *,
    x: Tensor,
    kernel_sizes: Tensor,
    strides: Tensor,
    pad_type: str,
    pad: Tensor | None,
    ceil_mode: Tensor,
) -> Tensor:
    """Maximum of every window; the border never wins."""
    bordered = _bordered(x, -torch.inf, kernel_sizes, strides, pad_type, pad, ceil_mode)
    return _MAXIMUM[x.ndim - 2](bordered, kernel_sizes.tolist(), strides.tolist())


HANDLERS: dict[str, Handler] = {"avg_pool": avg_pool, "max_pool": max_pool}
