"""EdgeTAM's spatial perceiver: the memory of a frame as a fixed number of tokens.

Two kinds of learned tokens (*latents*) go through the same layers: global ones see all cells, and
each of the others sees the window of cells that it stands for, and itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.edgetam import GLOBAL_TOKENS, GRID_SIDE
from sam2lite.contracts.families.sam2 import EMBED_CHANNELS, MEMORY_CHANNELS
from sam2lite.models.sam2.positions import Places, rotary_table, sine_table

_LAYERS = 2
_EXPANSION = 4
_GRID_TOKENS = GRID_SIDE * GRID_SIDE
_SCALE = float(MEMORY_CHANNELS**-0.5)  # of scores


class CrossAttention(nn.Module):
    """The layers of attention to cells; who sees which of them is the perceiver's business."""

    def __init__(self) -> None:
        super().__init__()
        width = MEMORY_CHANNELS
        self.norm_x, self.norm_latents = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width, bias=False)


class SelfAttention(nn.Module):
    """The layers of attention to tokens."""

    def __init__(self) -> None:
        super().__init__()
        width = MEMORY_CHANNELS
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(width, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width, bias=False)


def _feed_forward() -> nn.Sequential:
    width = MEMORY_CHANNELS
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, _EXPANSION * width, bias=False),
        nn.GELU(),
        nn.Linear(_EXPANSION * width, width, bias=False),
    )


class PerceiverLayer(nn.Module):
    """Tokens look at cells and at one another; all channels in between have the same width."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = CrossAttention()
        self.ff = _feed_forward()
        self.self_attn = SelfAttention()
        self.self_ff = _feed_forward()

    def forward(self, token_btc: Tensor, cell_bkc: Tensor, position_kc: Tensor) -> Tensor:
        """Return tokens `[1, T, 64]`: global ones, then those of the grid.

        Args:
            token_btc: `[1, T, 64]`.
            cell_bkc: `[1, K, 64]`, row by row.
            position_kc: of the cells; global tokens see it.
        """
        token_btc = token_btc + self.attn.to_out(self._seen(token_btc, cell_bkc, position_kc))
        token_btc = token_btc + self.ff(token_btc)
        token_btc = token_btc + self.self_attn.to_out(self._shared(token_btc))
        result: Tensor = token_btc + self.self_ff(token_btc)
        return result

    def _seen(self, token_btc: Tensor, cell_bkc: Tensor, position_kc: Tensor) -> Tensor:
        """Return what tokens see of the cells."""
        query_btc = self.attn.to_q(self.attn.norm_latents(token_btc)) * _SCALE
        key_bkc, value_bkc = self.attn.to_kv(self.attn.norm_x(cell_bkc)).chunk(2, dim=2)
        all_btc = _attended(
            query_btc[:, :GLOBAL_TOKENS], key_bkc + position_kc, value_bkc + position_kc
        )
        own_gtc = _attended(
            query_btc[:, GLOBAL_TOKENS:].transpose(0, 1), _windows(key_bkc), _windows(value_bkc)
        )
        return torch.cat([all_btc, own_gtc.transpose(0, 1)], dim=1)

    def _shared(self, token_btc: Tensor) -> Tensor:
        """Return what tokens see of tokens: one of the grid is alone, so it sees itself whole."""
        normed_btc = self.self_attn.norm(token_btc)
        among_btc = normed_btc[:, :GLOBAL_TOKENS]
        query_btc = self.self_attn.to_q(among_btc) * _SCALE
        key_btc, value_btc = self.self_attn.to_kv(normed_btc).chunk(2, dim=2)
        seen_btc = _attended(query_btc, key_btc[:, :GLOBAL_TOKENS], value_btc[:, :GLOBAL_TOKENS])
        return torch.cat([seen_btc, value_btc[:, GLOBAL_TOKENS:]], dim=1)


class SpatialPerceiver(nn.Module):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.zeros(GLOBAL_TOKENS, MEMORY_CHANNELS))
        self.latents_2d = nn.Parameter(torch.zeros(_GRID_TOKENS, MEMORY_CHANNELS))
        self.layers = nn.ModuleList(PerceiverLayer() for _ in range(_LAYERS))
        self.norm = nn.LayerNorm(MEMORY_CHANNELS)

    def forward(self, memory_bchw: Tensor) -> Tensor:
        """Return `[1, T, 64]`.

        Args:
            memory_bchw: `[1, 64, H, H]`, H a multiple of the grid's side.
        """
        height, width = (int(side) for side in memory_bchw.shape[2:])
        cell_bkc = memory_bchw.flatten(2).transpose(1, 2)
        position_kc = sine_table(height, width, MEMORY_CHANNELS)
        token_btc = torch.cat([self.latents, self.latents_2d])[None]
        for layer in self.layers:
            token_btc = layer(token_btc, cell_bkc, position_kc)
        result: Tensor = self.norm(token_btc)
        return result


def token_places(height: int, width: int) -> Places:
    """Return the places of a frame's tokens, which are the same on every grid of cells."""
    half = EMBED_CHANNELS // 2
    cosine, sine = rotary_table(GRID_SIDE, GRID_SIDE, EMBED_CHANNELS)
    position_nc = sine_table(GRID_SIDE, GRID_SIDE, MEMORY_CHANNELS)
    return Places(
        torch.cat([torch.zeros(GLOBAL_TOKENS, MEMORY_CHANNELS), position_nc]),
        (
            torch.cat([torch.ones(GLOBAL_TOKENS, half), cosine]),
            torch.cat([torch.zeros(GLOBAL_TOKENS, half), sine]),
        ),
    )


def _attended(query_bnc: Tensor, key_bkc: Tensor, value_bkc: Tensor) -> Tensor:
    return torch.softmax(query_bnc @ key_bkc.transpose(1, 2), dim=-1) @ value_bkc


def _windows(x_bkc: Tensor) -> Tensor:
    """Return the cells of each window of the grid, `[T, cells, C]`, of a square map `[1, K, C]`."""
    _, cells, channels = (int(side) for side in x_bkc.shape)
    side = round((cells // _GRID_TOKENS) ** 0.5)
    x = x_bkc.reshape(GRID_SIDE, side, GRID_SIDE, side, channels)
    return x.transpose(1, 2).reshape(_GRID_TOKENS, side * side, channels)
