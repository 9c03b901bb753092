"""What was remembered of an object, brought into the features of a frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS, MEMORY_CHANNELS
from sam2lite.models.sam2.positions import rotary_table

_HIDDEN = 2048
_LAYERS = 4

Rotation = tuple[Tensor, Tensor]  # cosines and sines, [cells, 128] each


class RotaryAttention(nn.Module):
    """Attention of one head whose queries and keys are rotated by where they are."""

    def __init__(self, memory_channels: int) -> None:
        """Build it.

        Args:
            memory_channels: of keys and values.
        """
        super().__init__()
        width = EMBED_CHANNELS
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(memory_channels, width)
        self.v_proj = nn.Linear(memory_channels, width)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self,
        query_bnc: Tensor,
        key_bkc: Tensor,
        value_bkc: Tensor,
        rotation: Rotation,
        grids: int = 1,
        bias_b1k: Tensor | None = None,
    ) -> Tensor:
        """Attend, `[1, N, 256]`.

        Args:
            query_bnc: `[1, N, 256]`, a grid.
            key_bkc: `[1, K, C]`: grids, then what has no place.
            value_bkc: `[1, K, C]`.
            rotation: of a grid.
            grids: in the keys.
            bias_b1k: added to what keys score; nothing is if not given.
        """
        query = rotated(self.q_proj(query_bnc), rotation)
        key = rotated(self.k_proj(key_bkc), rotation, grids)
        score_bnk = (query * query.shape[-1] ** -0.5) @ key.transpose(1, 2)
        if bias_b1k is not None:
            score_bnk = score_bnk + bias_b1k
        result: Tensor = self.out_proj(torch.softmax(score_bnk, dim=-1) @ self.v_proj(value_bkc))
        return result


class MemoryAttentionLayer(nn.Module):
    """Attention to the frame itself, then to memory, then an MLP."""

    def __init__(self) -> None:
        super().__init__()
        width = EMBED_CHANNELS
        self.self_attn: nn.Module = RotaryAttention(width)
        self.cross_attn_image: nn.Module = RotaryAttention(MEMORY_CHANNELS)
        self.linear1 = nn.Linear(width, _HIDDEN)
        self.linear2 = nn.Linear(_HIDDEN, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(
        self,
        x_bnc: Tensor,
        key_bkc: Tensor,
        memory_bkc: Tensor,
        rotation: Rotation,
        grids: int,
        bias_b1k: Tensor,
    ) -> Tensor:
        """Return `[1, N, 256]`."""
        normed = self.norm1(x_bnc)
        x_bnc = x_bnc + self.self_attn(normed, normed, normed, rotation)
        seen = self.cross_attn_image(
            self.norm2(x_bnc), key_bkc, memory_bkc, rotation, grids, bias_b1k
        )
        x_bnc = x_bnc + seen
        result: Tensor = x_bnc + self.linear2(torch.relu(self.linear1(self.norm3(x_bnc))))
        return result


class MemoryAttention(nn.Module):
    """Four layers and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MemoryAttentionLayer() for _ in range(_LAYERS))
        self.norm = nn.LayerNorm(EMBED_CHANNELS)

    def forward(
        self,
        x_bnc: Tensor,
        memory_bkc: Tensor,
        position_bkc: Tensor,
        bias_b1k: Tensor,
        side: tuple[int, int],
        grids: int,
    ) -> Tensor:
        """Return `[1, N, 256]`.

        Args:
            x_bnc: the frame with its positions.
            memory_bkc: memory of frames, then tokens of pointers.
            position_bkc: added to memory in keys, not in values.
            bias_b1k: 0 where a key is seen.
            side: height and width of a grid, cells.
            grids: frames in memory.
        """
        rotation = rotary_table(*side, EMBED_CHANNELS)
        key_bkc = memory_bkc + position_bkc
        for layer in self.layers:
            x_bnc = layer(x_bnc, key_bkc, memory_bkc, rotation, grids, bias_b1k)
        result: Tensor = self.norm(x_bnc)
        return result


def rotated(x_bnc: Tensor, rotation: Rotation, grids: int = 1) -> Tensor:
    """Rotate pairs of neighbouring channels; of tokens after the grids, none.

    Args:
        x_bnc: `[1, grids * N + P, C]`.
        rotation: cosines and sines of a grid, `[N, C / 2]` each.
        grids: how many there are.
    """
    cosine, sine = rotation
    cells = int(cosine.shape[0])
    batch, count, channels = (int(side) for side in x_bnc.shape)
    placed = grids * cells
    pairs = x_bnc[:, :placed].reshape(batch, grids, cells, channels // 2, 2)
    even, odd = pairs.unbind(-1)
    turned = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)
    turned = turned.reshape(batch, placed, channels)
    return turned if placed == count else torch.cat([turned, x_bnc[:, placed:]], dim=1)
