"""Operators of PyTorch that are rewritten before coremltools sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from sam2lite.exporter.coreml.forms import rows_of

# A table of more rows is gathered from: a product with it would be work.
_MOST_ROWS = 16
_INDICES = (torch.int32, torch.int64)


def _same(x: Tensor) -> Tensor:
    """Drop what a slice that takes everything becomes, which coremltools does not know."""
    return x


def _rows(table: Tensor, indices: Sequence[Tensor | None]) -> Any:
    """Take rows of a small table by a product, as `forms.OneHotEmbedding` does and why.

    Of indices below 0, which count from the end in PyTorch, it makes zeros; MIL's gather has none.
    """
    (index, *others) = indices
    small = table.ndim == 2 and table.shape[0] <= _MOST_ROWS and table.is_floating_point()
    if others or not small or index is None or index.dtype not in _INDICES:
        return NotImplemented
    return rows_of(table, index)


def _with_stride(x: Tensor, kernel: list[int], *others: Any) -> Any:
    """Say the stride of a pool, which is its kernel's size if it is left out."""
    return NotImplemented if others else torch.max_pool2d(x, kernel, kernel)


def _replaced(x: Tensor, row: Tensor, dim: int, index: int) -> Tensor:
    """Replace one row by joining what is around it: of constants, coremltools makes a constant.

    Of the scatter that it knows it does not, and the Neural Engine has none.
    """
    count = x.shape[dim]
    index %= count
    return torch.cat(
        [
            x.narrow(dim, 0, index),
            row.unsqueeze(dim),
            x.narrow(dim, index + 1, count - index - 1),
        ],
        dim=dim,
    )


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.alias.default: _same,
    torch.ops.aten.index.Tensor: _rows,
    torch.ops.aten.max_pool2d.default: _with_stride,
    torch.ops.aten.select_scatter.default: _replaced,
}
