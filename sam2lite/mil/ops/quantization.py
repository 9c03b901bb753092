"""Quantised activations."""

from __future__ import annotations

import torch
from torch import Tensor

from sam2lite.mil.dtypes import integer_range
from sam2lite.mil.steps import Handler


def along(values: Tensor, axis: Tensor | None, rank: int) -> Tensor:
    """Give a vector the rank of what it scales, its own axis in the place of `axis`."""
    if values.ndim == 0 or axis is None:
        return values
    own = [1] * rank
    own[int(axis)] = -1
    return values.reshape(own)


def quantize(
    *,
    input: Tensor,  # noqa: A002  # MIL's name
    zero_point: Tensor | None,
    scale: Tensor,
    output_dtype: str,
    axis: Tensor | None,
) -> Tensor:
    """`round(input / scale) + zero point`, limited to the type; halves go to even."""
    steps = torch.round(input / along(scale, axis, input.ndim))
    if zero_point is not None:
        steps = steps + along(zero_point, axis, input.ndim)
    return steps.clamp(*integer_range(output_dtype)).to(torch.int32)


def dequantize(
    *,
    input: Tensor,  # noqa: A002  # MIL's name
    zero_point: Tensor | None,
    scale: Tensor,
    axis: Tensor | None,
) -> Tensor:
    """`scale (input - zero point)`."""
    steps = input if zero_point is None else input - along(zero_point, axis, input.ndim)
    return along(scale, axis, input.ndim) * steps


HANDLERS: dict[str, Handler] = {"dequantize": dequantize, "quantize": quantize}
