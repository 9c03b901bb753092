"""Constants that are stored compressed: scales, look-up tables, bit masks.

iOS 16 and 18 have different forms under one name; iOS 16's carry the `shape` of the result, and
pack several indices or mask bits into a byte, low bits first.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sam2lite.mil.ops.quantization import along
from sam2lite.mil.steps import Handler


def _unpacked(packed: Tensor, bits: int, count: int) -> Tensor:
    """Return `count` numbers of so many bits from bytes."""
    flags = np.unpackbits(packed.numpy().astype(np.uint8), bitorder="little")[: bits * count]
    return torch.from_numpy(flags.reshape(count, bits) @ (1 << np.arange(bits)))


def affine_dequantize(
    *, quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: Tensor
) -> Tensor:
    """`scale (data - zero point)`, per tensor or along an axis."""
    rank = quantized_data.ndim
    return along(scale, axis, rank) * (quantized_data - along(zero_point, axis, rank))


def blockwise_shift_scale(*, data: Tensor, scale: Tensor, offset: Tensor | None) -> Tensor:
    """`scale (data - offset)`; every element of `scale` is for a block of `data`."""

    def spread(values: Tensor) -> Tensor:
        for axis, (whole, blocks) in enumerate(zip(data.shape, values.shape, strict=True)):
            values = values.repeat_interleave(whole // blocks, dim=axis)
        return values

    return spread(scale) * (data if offset is None else data - spread(offset))


def lut_to_dense(
    *,
    indices: Tensor,
    lut: Tensor,
    shape: Tensor | None = None,
    vector_axis: Tensor | None = None,
) -> Tensor:
    """Replace indices by what a table, or one of several tables, has for them.

    iOS 16: one table, packed indices. iOS 18: tables `[..., entries, vector]`, each for a block of
    `indices`; vectors longer than 1 lie along `vector_axis`.
    """
    if shape is not None:
        sizes = shape.tolist()
        bits = int(math.log2(lut.numel()))
        return lut[_unpacked(indices, bits, math.prod(sizes))].reshape(sizes)
    table = torch.zeros(indices.shape, dtype=torch.int64)
    for axis, (whole, blocks) in enumerate(zip(indices.shape, lut.shape[:-2], strict=True)):
        own = torch.arange(whole) // (whole // blocks)
        table = table * blocks + along(own, torch.tensor(axis), indices.ndim)
    found = lut.flatten(0, -3)[table, indices.to(torch.int64)]
    if lut.shape[-1] == 1:
        return found.squeeze(-1)
    assert vector_axis is not None  # the operator requires it for vectors
    axis = int(vector_axis) % indices.ndim
    return found.movedim(-1, axis + 1).flatten(axis, axis + 1)


def sparse_to_dense(*, nonzero_data: Tensor, mask: Tensor, shape: Tensor | None = None) -> Tensor:
    """Put the data where the mask has ones, zeros elsewhere."""
    if shape is not None:
        sizes = shape.tolist()
        mask = _unpacked(mask, 1, math.prod(sizes)).reshape(sizes)
    dense = torch.zeros(mask.shape, dtype=nonzero_data.dtype)
    dense[mask != 0] = nonzero_data
    return dense


def constant_cast(*, source_val: Tensor, output_dtype: str) -> Tensor:
    """FP16 to FP32, which changes nothing."""
    return source_val


HANDLERS: dict[str, Handler] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": constant_cast,
    "constexpr_lut_to_dense": lut_to_dense,
    "constexpr_sparse_to_dense": sparse_to_dense,
}
