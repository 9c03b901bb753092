"""SAM 2's graphs in the forms that Core ML takes: docs/coreml.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.sam2.fused import FoldedAttention
from sam2lite.models.sam2.graphs import ImageEncoderGraph, MemoryAttentionGraph
from sam2lite.models.sam2.hiera import Hiera
from sam2lite.models.sam2.image_encoder import ImageEncoder
from sam2lite.models.sam2.memory_attention import Rotations

# Scores of queries and keys that are held at a time, 34 MB in FP16. At 512 px that is all of them;
# at 1024, 7 frames of memory would be 236 MB, twice or three times over.
_MOST_SCORES = 1 << 24


class PlacedTrunk(Hiera):
    """A trunk with the position table of one size: MIL has no bicubic resize."""

    table_1chw: Tensor

    def __init__(self, trunk: Hiera, table_1chw: Tensor) -> None:
        """Build it.

        Args:
            trunk: whose parts it takes over.
            table_1chw: added to patches of one size of image.
        """
        super(Hiera, self).__init__()
        self.patch_embed, self.blocks = trunk.patch_embed, trunk.blocks
        self.stage_ends = trunk.stage_ends
        self.register_buffer("table_1chw", table_1chw)

    def positions(self, height: int, width: int) -> Tensor:
        """Return the table; see `Hiera.positions`."""
        return self.table_1chw


class BatchedAttention(nn.Module):
    """`FoldedAttention` with three axes, its bias beside the product, and larger parts."""

    def __init__(self, attention: FoldedAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(
        self,
        query_bnc: Tensor,
        key_bkc: Tensor,
        value_bkc: Tensor,
        rotation: Rotations,
        frames: int = 1,
        bias_b1k: Tensor | None = None,
    ) -> Tensor:
        """See `RotaryAttention.forward`."""
        query_bnc, key_bkc, value_bkc, bias_b1k = self.attention.compared(
            query_bnc, key_bkc, value_bkc, rotation, frames, bias_b1k
        )
        queries, keys = int(query_bnc.shape[1]), int(key_bkc.shape[1])
        parts = -(-queries * keys // _MOST_SCORES)
        if parts == 1:
            seen_bnc = _seen(query_bnc, key_bkc, value_bkc, bias_b1k)
        else:
            some = torch.split(query_bnc, -(-queries // parts), dim=1)
            seen = [_seen(part, key_bkc, value_bkc, bias_b1k) for part in some]
            seen_bnc = torch.cat(seen, dim=1)
        result: Tensor = self.attention.out_proj(seen_bnc)
        return result


# Of a trunk, and the position table that it is to have at one size.
Placing = Callable[[Any, Tensor], nn.Module]


def core_ml_form(module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
    """Return what of a graph's module Core ML takes, computing the same at one size.

    Args:
        module: of a fused network; changed.
        inputs: of the size.
    """
    with torch.no_grad():
        if isinstance(module, ImageEncoderGraph) and isinstance(module.image_encoder, ImageEncoder):
            centre_pixels(module, module.image_encoder, inputs[0], PlacedTrunk)
    if isinstance(module, MemoryAttentionGraph):
        for layer in module.memory_attention.layers:
            for name in ("self_attn", "cross_attn_image"):
                attention = getattr(layer, name)
                if isinstance(attention, FoldedAttention):
                    setattr(layer, name, BatchedAttention(attention))
    return module


def centre_pixels(
    graph: ImageEncoderGraph, encoder: Any, image_bchw: Tensor, placed: Placing
) -> None:
    """Have whole numbers taken from pixels, which is exact in FP16, and nothing else done to them.

    Their scale goes into the weights of patches. What the centre is away from the mean goes into
    the position table, through those weights, because the border of the image is filled with means.

    Args:
        graph: changed.
        encoder: of the graph; its trunk has patches and a position table.
        image_bchw: of the size.
        placed: makes the trunk of the size.
    """
    trunk = encoder.trunk
    patches = trunk.patch_embed["proj"]
    assert isinstance(patches, nn.Conv2d)
    centre = torch.round(graph.pixel_mean)
    away = ((centre - graph.pixel_mean) / graph.pixel_std).expand_as(image_bchw)
    table = F.conv2d(away, patches.weight, None, patches.stride, patches.padding)
    table = table + trunk.positions(*(int(side) for side in table.shape[2:]))
    patches.weight /= graph.pixel_std
    graph.pixel_mean, graph.pixel_std = centre, torch.ones_like(centre)
    encoder.trunk = placed(trunk, table)


def _seen(query_bnc: Tensor, key_bkc: Tensor, value_bkc: Tensor, bias: Tensor | None) -> Tensor:
    score_bnk = query_bnc @ key_bkc.transpose(1, 2)
    if bias is not None:
        score_bnk = score_bnk + bias
    return torch.softmax(score_bnk, dim=-1) @ value_bkc
