"""Attention as one operator, from iOS 18 on."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from sam2lite.mil.steps import Handler


def scaled_dot_product_attention(
    *, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None
) -> Tensor:
    """`softmax(q k^T / sqrt(e) + mask) v`; in a bool mask True may be attended to."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask)


HANDLERS: dict[str, Handler] = {"scaled_dot_product_attention": scaled_dot_product_attention}
