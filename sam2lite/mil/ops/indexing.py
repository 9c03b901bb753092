"""Slices, gathers and TopK."""

from __future__ import annotations

import torch
from torch import Tensor

from sam2lite.mil.steps import Handler


def slice_by_index(
    *,
    x: Tensor,
    begin: Tensor,
    end: Tensor,
    stride: Tensor | None,
    begin_mask: Tensor | None,
    end_mask: Tensor | None,
    squeeze_mask: Tensor | None,
) -> Tensor:
    """Cut out `begin:end:stride` of every axis, as NumPy does.

    A mask drops the begin or the end of an axis; where `squeeze_mask` is set, only the element at
    `begin` is taken and the axis goes.
    """

    def flags(mask: Tensor | None) -> list[bool]:
        return [False] * x.ndim if mask is None else mask.tolist()

    strides = [1] * x.ndim if stride is None else stride.tolist()
    rows = zip(
        begin.tolist(), end.tolist(), strides, flags(begin_mask), flags(end_mask), strict=True
    )
    squeezed = flags(squeeze_mask)
    for axis, (first, last, step, no_first, no_last) in enumerate(rows):
        if squeezed[axis]:
            kept = range(x.shape[axis])[first : first + 1 or None]
        else:
            cut = slice(None if no_first else first, None if no_last else last, step)
            kept = range(x.shape[axis])[cut]
        if kept != range(x.shape[axis]):
            x = x.index_select(axis, torch.tensor(list(kept), dtype=torch.int64))
    return x.squeeze(tuple(axis for axis, gone in enumerate(squeezed) if gone))


def slice_by_size(*, x: Tensor, begin: Tensor, size: Tensor) -> Tensor:
    """Cut out `size` elements from `begin` on, or all the rest where the size is -1."""
    for axis, (first, count) in enumerate(zip(begin.tolist(), size.tolist(), strict=True)):
        x = x.narrow(axis, first, x.shape[axis] - first if count == -1 else count)
    return x


def _positions(indices: Tensor, size: int, validate_indices: Tensor | None) -> Tensor:
    """Return indices that count from the front, refusing what leaves the axis.

    Up to iOS 16 negative indices count from the back. Operators of iOS 17, which are those with
    `validate_indices`, take them as out of bounds: undefined on a device, an error here.
    """
    lowest = -size if validate_indices is None else 0
    if indices.numel() and not (lowest <= int(indices.min()) and int(indices.max()) < size):
        raise IndexError(
            f"indices {int(indices.min())} to {int(indices.max())} leave {lowest}..{size - 1}"
        )
    return torch.where(indices < 0, indices + size, indices).to(torch.int64)


def gather(
    *,
    x: Tensor,
    indices: Tensor,
    axis: Tensor,
    batch_dims: Tensor,
    validate_indices: Tensor | None = None,
) -> Tensor:
    """Take whole slices of an axis; the axis becomes the axes of `indices`."""
    if batch_dims:
        raise NotImplementedError("batch_dims other than 0")
    dim = int(axis) % x.ndim
    positions = _positions(indices, x.shape[dim], validate_indices)
    taken = x.index_select(dim, positions.reshape(-1))
    return taken.reshape(*x.shape[:dim], *indices.shape, *x.shape[dim + 1 :])


def gather_along_axis(
    *, x: Tensor, indices: Tensor, axis: Tensor, validate_indices: Tensor | None = None
) -> Tensor:
    """Take single elements along an axis; the result has the shape of `indices`."""
    dim = int(axis)
    return torch.gather(x, dim, _positions(indices, x.shape[dim], validate_indices))


def topk(
    *,
    x: Tensor,
    k: Tensor,
    axis: Tensor,
    ascending: Tensor,
    sort: Tensor | None = None,
    return_indices: Tensor | None = None,
    output_indices_dtype: str | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the k largest (or smallest) elements of an axis, sorted, and where they are.

    Of equal elements the first comes first. Core ML promises no order among those.
    """
    dim = int(axis)
    values, indices = torch.sort(x, dim=dim, descending=not ascending, stable=True)
    count = x.shape[dim] if int(k) == -1 else int(k)
    values, indices = values.narrow(dim, 0, count), indices.narrow(dim, 0, count)
    if return_indices is not None and not return_indices:
        return values
    return values, indices.to(torch.int32)


HANDLERS: dict[str, Handler] = {
    "gather": gather,
    "gather_along_axis": gather_along_axis,
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "topk": topk,
}
