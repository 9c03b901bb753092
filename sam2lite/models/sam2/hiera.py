"""The trunk of SAM 2's image encoder (Hiera, arXiv 2306.00989, with windowed attention)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.sam2.blocks import Mlp
from sam2lite.models.sam2.config import HieraConfig

_POOL = 2
_MLP_RATIO = 4
_EPSILON = 1e-6

Grid = tuple[int, int]  # height and width, cells


class Attention(nn.Module):
    """Attention within windows, or over everything; queries may be pooled, which halves the grid.

    Linear layers see cells, not windows: the last row and column of windows reach beyond the grid,
    where a linear layer gives its bias.

    Attributes:
        scale: of the products of queries and keys.
        qkv: one layer for all three, or a list of one for each.
    """

    def __init__(
        self, width: int, width_out: int, heads: int, window: int | None, pooled: bool
    ) -> None:
        """Build it; see `Block`."""
        super().__init__()
        self.heads, self.window, self.pooled = heads, window, pooled
        self.scale = float((width_out // heads) ** -0.5)
        self.qkv: nn.Module = nn.Linear(width, 3 * width_out)
        self.proj = nn.Linear(width_out, width_out)

    def forward(self, x_bnc: Tensor, grid: Grid) -> Tensor:
        """Attend.

        Args:
            x_bnc: `[1, H * W, width]`.
            grid: H and W.

        Returns:
            `[1, H' * W', width_out]`; H' and W' are halved where queries are pooled.
        """
        (query, key, value), biases = self._projected(x_bnc)
        query, key, value = (
            _partitioned(part, grid, self.window, bias)
            for part, bias in zip((query, key, value), biases, strict=True)
        )
        window = self.window
        if self.pooled:  # within windows: of one with an odd side, the last row goes
            query = _pooled(query, grid if window is None else (window, window))
            grid, window = _halved(grid), window // _POOL if window is not None else None
        query, key, value = self._heads(query), self._heads(key), self._heads(value)
        # A scale of 1 is in the weights already; tracing leaves no node for it.
        query = query if self.scale == 1.0 else query * self.scale
        seen = torch.softmax(query @ key.transpose(2, 3), dim=-1) @ value
        windows, heads, cells, channels = (int(side) for side in seen.shape)
        seen_wnc = seen.transpose(1, 2).reshape(windows, cells, heads * channels)
        result: Tensor = self.proj(_joined(seen_wnc, window, grid))
        return result

    def _projected(self, x_bnc: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return queries, keys and values `[1, N, width_out]`, and the bias of each."""
        if isinstance(self.qkv, nn.Linear):
            width = self.proj.in_features
            parts = torch.split(self.qkv(x_bnc), width, dim=-1)
            return parts, torch.split(self.qkv.bias, width)
        layers = [layer for layer in self.qkv.children() if isinstance(layer, nn.Linear)]
        return tuple(layer(x_bnc) for layer in layers), tuple(layer.bias for layer in layers)

    def _heads(self, x_wnc: Tensor) -> Tensor:
        """Return `[windows, heads, cells, channels]`."""
        windows, cells, width = (int(side) for side in x_wnc.shape)
        return x_wnc.reshape(windows, cells, self.heads, width // self.heads).transpose(1, 2)


class Block(nn.Module):
    """A block of the trunk: attention in windows, or over everything, and an MLP."""

    def __init__(
        self, width: int, width_out: int, heads: int, window: int | None, pooled: bool
    ) -> None:
        """Build it.

        Args:
            width: channels in.
            width_out: channels out.
            heads: of attention.
            window: side of a window before pooling, cells; None for all cells.
            pooled: whether the grid is halved.
        """
        super().__init__()
        self.pooled = pooled
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = Attention(width, width_out, heads, window, pooled)
        self.norm2 = nn.LayerNorm(width_out, eps=_EPSILON)
        self.mlp = Mlp(width_out, _MLP_RATIO * width_out, width_out, activation=nn.GELU)
        self.proj = nn.Linear(width, width_out) if width != width_out else None

    def forward(self, x_bnc: Tensor, grid: Grid) -> tuple[Tensor, Grid]:
        """Return `[1, H' * W', width_out]`, H' and W'; they are halved where the block pools."""
        normed = self.norm1(x_bnc)
        shortcut = x_bnc
        if self.proj is not None:
            shortcut = self.proj(normed)
            shortcut = _pooled(shortcut, grid) if self.pooled else shortcut
        x_bnc = shortcut + self.attn(normed, grid)
        return x_bnc + self.mlp(self.norm2(x_bnc)), _halved(grid) if self.pooled else grid


class Hiera(nn.Module):
    """Maps of four strides from one normalised image."""

    def __init__(self, config: HieraConfig) -> None:
        super().__init__()
        width, heads = config.embed_dim, config.heads
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, 7, stride=4, padding=3)})
        self.pos_embed = nn.Parameter(torch.zeros(1, width, *config.background))
        side = config.windows[0]
        self.pos_embed_window = nn.Parameter(torch.zeros(1, width, side, side))
        self.blocks = nn.ModuleList()
        self.stage_ends: list[int] = []
        for stage, blocks in enumerate(config.blocks):
            for block in range(blocks):
                first = stage > 0 and block == 0
                # The first block of a stage sees the windows of the stage before.
                window = config.windows[stage - 1 if first else stage]
                everywhere = len(self.blocks) in config.global_blocks
                width_out = config.embed_dim << stage
                self.blocks.append(
                    Block(width, width_out, heads << stage, None if everywhere else window, first)
                )
                width = width_out
            self.stage_ends.append(len(self.blocks) - 1)

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return `[1, C, H, W]` at strides 4, 8, 16 and 32.

        Args:
            image_bchw: normalised, sides that are multiples of 32.
        """
        x_bchw = self.patch_embed["proj"](image_bchw)
        height, width = (int(side) for side in x_bchw.shape[2:])
        x_bchw = x_bchw + self.positions(height, width)
        # Linear layers get three axes: of four, ONNX Runtime computes those in INT8 as float.
        x_bnc, grid = x_bchw.flatten(2).transpose(1, 2), (height, width)
        maps = []
        for index, block in enumerate(self.blocks):
            x_bnc, grid = block(x_bnc, grid)
            if index in self.stage_ends:
                maps.append(x_bnc.transpose(1, 2).reshape(1, -1, *grid))
        return maps

    def positions(self, height: int, width: int) -> Tensor:
        """Return the position table of a grid at stride 4, `[1, C, height, width]`.

        A coarse table is resized to the grid, and one of a window's side is repeated over it.
        """
        coarse = F.interpolate(self.pos_embed, size=(height, width), mode="bicubic")
        side = int(self.pos_embed_window.shape[-1])
        row = torch.cat([self.pos_embed_window] * (width // side), dim=3)
        return coarse + torch.cat([row] * (height // side), dim=2)


def _halved(grid: Grid) -> Grid:
    return grid[0] // _POOL, grid[1] // _POOL


def _pooled(x_bnc: Tensor, grid: Grid) -> Tensor:
    """Return the greatest of 2 x 2 cells each, `[B, N / 4, C]`; what is left over goes."""
    batch, _, channels = (int(side) for side in x_bnc.shape)
    (height, width), (rows, columns) = grid, _halved(grid)
    x_bhwc = x_bnc.reshape(batch, height, width, channels)
    if (2 * rows, 2 * columns) != grid:
        x_bhwc = x_bhwc[:, : 2 * rows, : 2 * columns]
    # Pairs one after the other, where channels stay last: a pooling would want them first.
    x_brc = x_bhwc.reshape(batch * rows, _POOL, 2 * columns * channels).amax(1)
    return (
        x_brc.reshape(batch * rows * columns, _POOL, channels)
        .amax(1)
        .reshape(batch, rows * columns, channels)
    )


def _partitioned(x_bnc: Tensor, grid: Grid, window: int | None, beyond: Tensor) -> Tensor:
    """Return `[windows, cells, C]`; the last windows of a row and of a column may reach further.

    Args:
        x_bnc: cells of a grid.
        grid: its height and width.
        window: side, cells; None for one window of all cells.
        beyond: `[C]`, what is beyond the grid.
    """
    if window is None:
        return x_bnc
    height, width = grid
    channels = int(x_bnc.shape[2])
    x_bhwc = x_bnc.reshape(1, height, width, channels)
    below, right = -height % window, -width % window
    # Pad takes its sizes from a tensor, and shapes after it are not static any more.
    if right:
        x_bhwc = torch.cat([x_bhwc, beyond + torch.zeros(1, height, right, channels)], dim=2)
    if below:
        more = beyond + torch.zeros(1, below, width + right, channels)
        x_bhwc = torch.cat([x_bhwc, more], dim=1)
    rows, columns = (height + below) // window, (width + right) // window
    x_rscsc = x_bhwc.reshape(rows, window, columns, window, channels)
    return x_rscsc.transpose(1, 2).reshape(rows * columns, window * window, channels)


def _joined(x_wnc: Tensor, window: int | None, grid: Grid) -> Tensor:
    """Return `[1, H * W, C]`: undo `_partitioned`, without what is beyond the grid."""
    if window is None:
        return x_wnc
    (height, width), channels = grid, int(x_wnc.shape[2])
    rows, columns = -(-height // window), -(-width // window)
    x_rcssc = x_wnc.reshape(rows, columns, window, window, channels)
    x_hwc = x_rcssc.transpose(1, 2).reshape(rows * window, columns * window, channels)
    return x_hwc[:height, :width].reshape(1, height * width, channels)
