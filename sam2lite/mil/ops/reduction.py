"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sam2lite.mil.steps import Handler


def _reduce(
    kernel: Callable[..., Tensor], *, x: Tensor, axes: Tensor | None, keep_dims: Tensor
) -> Tensor:
    """Reduce over some axes, or over all of them without any."""
    dims = list(range(x.ndim)) if axes is None else axes.tolist()
    return kernel(x, dim=dims, keepdim=bool(keep_dims))


def _arg(
    kernel: Callable[..., Tensor],
    *,
    x: Tensor,
    axis: Tensor,
    keep_dims: Tensor,
    output_dtype: str = "int32",
) -> Tensor:
    """Return where the extreme value is; of equal ones the first."""
    return kernel(x, dim=int(axis), keepdim=bool(keep_dims)).to(torch.int32)


def _sum_square(x: Tensor, **where: Any) -> Tensor:
    return torch.sum(x * x, **where)


_KERNELS: dict[str, Callable[..., Tensor]] = {
    "reduce_log_sum_exp": torch.logsumexp,
    "reduce_max": torch.amax,
    "reduce_mean": torch.mean,
    "reduce_min": torch.amin,
    "reduce_sum": torch.sum,
    "reduce_sum_square": _sum_square,
}
HANDLERS: dict[str, Handler] = {
    **{name: partial(_reduce, kernel) for name, kernel in _KERNELS.items()},
    "reduce_argmax": partial(_arg, torch.argmax),
    "reduce_argmin": partial(_arg, torch.argmin),
}
