"""A module in the forms that Core ML takes, and that the Neural Engine runs: docs/coreml.md."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

# What a family makes of a module of its own, given the inputs of one size; see `Networks`.
Form = Callable[[nn.Module, Sequence[Tensor]], nn.Module]


class OneHotEmbedding(nn.Module):
    """`nn.Embedding` as a product with rows of zeros and a one; the same values, bit for bit.

    A gather and the comparisons of integers that coremltools puts around it are not for the Neural
    Engine; for the few rows of an embedding of ours this costs no more.
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.weight = embedding.weight

    def forward(self, index: Tensor) -> Tensor:
        """Look up. Shape: whole numbers `[...]` -> `[..., dim]`."""
        return rows_of(self.weight, index)


def rows_of(table: Tensor, index: Tensor) -> Tensor:
    """Return rows of a table, by a product. Shape: `[R, dim]`, `[...]` -> `[..., dim]`."""
    rows_n = torch.arange(table.shape[0], dtype=table.dtype)
    chosen = torch.relu(1.0 - (index[..., None].to(table.dtype) - rows_n).abs())
    return chosen @ table


def in_core_ml_forms(
    module: nn.Module, inputs: Sequence[Tensor], form: Form | None = None
) -> nn.Module:
    """Return a copy of a module that computes the same at one input size; embeddings are products.

    Args:
        module: of the network; stays as it is.
        inputs: of the size.
        form: of the family, for what no other has.
    """
    changed = copy.deepcopy(module)
    for part in list(changed.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.Embedding):
                setattr(part, name, OneHotEmbedding(child))
    return changed if form is None else form(changed, inputs)
