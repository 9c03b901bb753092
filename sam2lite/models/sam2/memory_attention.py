"""What was remembered of an object, brought into the features of a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS, MEMORY_CHANNELS
from sam2lite.models.sam2.positions import Rotation

_HIDDEN = 2048


class Rotations(NamedTuple):
    """By where queries are, and by where the keys of one frame are.

    Attributes:
        query: of queries.
        key: of the keys of one frame.
        grid: height and width that queries have, cells.
    """

    query: Rotation
    key: Rotation
    grid: tuple[int, int]


class Keys(NamedTuple):
    """What is attended to, projected and rotated.

    Attributes:
        key_bkc: `[1, K, 256]`.
        value_bkc: `[1, K, C]`.
        bias_b1k: `[1, 1, K]`, added to what keys score.
    """

    key_bkc: Tensor
    value_bkc: Tensor
    bias_b1k: Tensor


# Makes fewer keys of those of frames, by the grid and the number of frames.
KeyPooling = Callable[[Keys, tuple[int, int], int], Keys]


class RotaryAttention(nn.Module):
    """Attention of one head whose queries and keys are rotated by where they are.

    Attributes:
        pooling: of the keys of memory; None where each of them is attended to.
    """

    def __init__(self, memory_channels: int) -> None:
        """Build it.

        Args:
            memory_channels: of keys and values.
        """
        super().__init__()
        self.pooling: KeyPooling | None = None
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
        rotation: Rotations,
        frames: int = 1,
        bias_b1k: Tensor | None = None,
    ) -> Tensor:
        """Attend, `[1, N, 256]`.

        Args:
            query_bnc: `[1, N, 256]`.
            key_bkc: `[1, K, C]`: frames, then what has no place.
            value_bkc: `[1, K, C]`.
            rotation: of queries, and of a frame in the keys.
            frames: in the keys.
            bias_b1k: added to what keys score; nothing is if not given.
        """
        query = rotated(self.q_proj(query_bnc), rotation.query)
        key = rotated(self.k_proj(key_bkc), rotation.key, frames)
        value = self.v_proj(value_bkc)
        if self.pooling is not None and bias_b1k is not None:
            key, value, bias_b1k = self.pooling(Keys(key, value, bias_b1k), rotation.grid, frames)
        score_bnk = (query * query.shape[-1] ** -0.5) @ key.transpose(1, 2)
        if bias_b1k is not None:
            score_bnk = score_bnk + bias_b1k
        result: Tensor = self.out_proj(torch.softmax(score_bnk, dim=-1) @ value)
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
        rotation: Rotations,
        frames: int,
        bias_b1k: Tensor,
    ) -> Tensor:
        """Return `[1, N, 256]`."""
        normed = self.norm1(x_bnc)
        own = rotation._replace(key=rotation.query)
        x_bnc = x_bnc + self.self_attn(normed, normed, normed, own)
        seen = self.cross_attn_image(
            self.norm2(x_bnc), key_bkc, memory_bkc, rotation, frames, bias_b1k
        )
        x_bnc = x_bnc + seen
        result: Tensor = x_bnc + self.linear2(torch.relu(self.linear1(self.norm3(x_bnc))))
        return result


class MemoryAttention(nn.Module):
    """Layers and a norm."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MemoryAttentionLayer() for _ in range(layers))
        self.norm = nn.LayerNorm(EMBED_CHANNELS)

    def forward(
        self,
        x_bnc: Tensor,
        memory_bkc: Tensor,
        position_bkc: Tensor,
        bias_b1k: Tensor,
        rotation: Rotations,
        frames: int,
    ) -> Tensor:
        """Return `[1, N, 256]`.

        Args:
            x_bnc: the frame with its positions.
            memory_bkc: memory of frames, then tokens of pointers.
            position_bkc: added to memory in keys, not in values.
            bias_b1k: 0 where a key is seen.
            rotation: of the frame's cells, and of the tokens of a frame in memory.
            frames: in memory.
        """
        key_bkc = memory_bkc + position_bkc
        for layer in self.layers:
            x_bnc = layer(x_bnc, key_bkc, memory_bkc, rotation, frames, bias_b1k)
        result: Tensor = self.norm(x_bnc)
        return result


def rotated(x_bnc: Tensor, rotation: Rotation, frames: int = 1) -> Tensor:
    """Rotate pairs of neighbouring channels; of tokens after the frames, none.

    Args:
        x_bnc: `[1, frames * N + P, C]`.
        rotation: cosines and sines of a frame, `[N, C / 2]` each.
        frames: how many there are.
    """
    cosine, sine = rotation
    tokens = int(cosine.shape[0])
    batch, count, channels = (int(side) for side in x_bnc.shape)
    placed = frames * tokens
    pairs = x_bnc[:, :placed].reshape(batch, frames, tokens, channels // 2, 2)
    even, odd = pairs.unbind(-1)
    turned = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)
    turned = turned.reshape(batch, placed, channels)
    return turned if placed == count else torch.cat([turned, x_bnc[:, placed:]], dim=1)
