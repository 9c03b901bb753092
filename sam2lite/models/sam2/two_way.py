"""The mask decoder's transformer: a few tokens and a map, each attending to the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS
from sam2lite.models.sam2.blocks import Mlp

_HEADS = 8
_HIDDEN = 2048
_DOWNSAMPLE = 2  # of the width within attention between tokens and the map
_LAYERS = 2


class Attention(nn.Module):
    """Attention of several heads with an additive bias for keys."""

    def __init__(self, downsample: int = 1) -> None:
        super().__init__()
        inner = EMBED_CHANNELS // downsample
        self.scale = float((inner // _HEADS) ** -0.5)
        self.q_proj = nn.Linear(EMBED_CHANNELS, inner)
        self.k_proj = nn.Linear(EMBED_CHANNELS, inner)
        self.v_proj = nn.Linear(EMBED_CHANNELS, inner)
        self.out_proj = nn.Linear(inner, EMBED_CHANNELS)

    def forward(
        self, query_bnc: Tensor, key_bkc: Tensor, value_bkc: Tensor, bias_b11k: Tensor | None = None
    ) -> Tensor:
        """Return `[1, N, 256]`; without a bias all keys are seen."""
        query, key, value = (
            proj(x).reshape(1, -1, _HEADS, proj.out_features // _HEADS).transpose(1, 2)
            for proj, x in (
                (self.q_proj, query_bnc),
                (self.k_proj, key_bkc),
                (self.v_proj, value_bkc),
            )
        )
        score = (query * self.scale) @ key.transpose(2, 3)
        if bias_b11k is not None:
            score = score + bias_b11k
        seen = torch.softmax(score, dim=-1) @ value
        result: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return result


class TwoWayLayer(nn.Module):
    """Tokens attend to themselves and to the map, then the map to the tokens."""

    def __init__(self, first: bool) -> None:
        """Build it.

        Args:
            first: tokens are replaced by what they attend to, without their positions.
        """
        super().__init__()
        self.first = first
        self.self_attn = Attention()
        self.cross_attn_token_to_image = Attention(_DOWNSAMPLE)
        self.cross_attn_image_to_token = Attention(_DOWNSAMPLE)
        self.mlp = Mlp(EMBED_CHANNELS, _HIDDEN, EMBED_CHANNELS)
        norms = (nn.LayerNorm(EMBED_CHANNELS) for _ in range(4))
        self.norm1, self.norm2, self.norm3, self.norm4 = norms

    def forward(
        self,
        token_bnc: Tensor,
        cell_bkc: Tensor,
        token_position: Tensor,
        cell_position: Tensor,
        bias_b11n: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return tokens and cells."""
        if self.first:
            token_bnc = self.self_attn(token_bnc, token_bnc, token_bnc, bias_b11n)
        else:
            placed = token_bnc + token_position
            token_bnc = token_bnc + self.self_attn(placed, placed, token_bnc, bias_b11n)
        token_bnc = self.norm1(token_bnc)
        seen = self.cross_attn_token_to_image(
            token_bnc + token_position, cell_bkc + cell_position, cell_bkc
        )
        token_bnc = self.norm2(token_bnc + seen)
        token_bnc = self.norm3(token_bnc + self.mlp(token_bnc))
        seen = self.cross_attn_image_to_token(
            cell_bkc + cell_position, token_bnc + token_position, token_bnc, bias_b11n
        )
        return token_bnc, self.norm4(cell_bkc + seen)


class TwoWayTransformer(nn.Module):
    """Two layers, and a last look of the tokens at the map."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayLayer(index == 0) for index in range(_LAYERS))
        self.final_attn_token_to_image = Attention(_DOWNSAMPLE)
        self.norm_final_attn = nn.LayerNorm(EMBED_CHANNELS)

    def forward(
        self, token_bnc: Tensor, cell_bkc: Tensor, cell_position: Tensor, bias_b11n: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return tokens `[1, N, 256]` and cells `[1, K, 256]`.

        Args:
            token_bnc: which are their own positions.
            cell_bkc: the map, row by row.
            cell_position: of the cells.
            bias_b11n: 0 for tokens that are seen.
        """
        position = token_bnc
        for layer in self.layers:
            token_bnc, cell_bkc = layer(token_bnc, cell_bkc, position, cell_position, bias_b11n)
        seen = self.final_attn_token_to_image(
            token_bnc + position, cell_bkc + cell_position, cell_bkc
        )
        return self.norm_final_attn(token_bnc + seen), cell_bkc
