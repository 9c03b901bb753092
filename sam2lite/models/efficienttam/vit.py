"""The trunk of EfficientTAM's image encoder: a plain vision transformer at stride 16.

Its blocks are those of SAM 2's trunk at one width: attention within windows, whose last row and
column reach beyond the grid, or over everything.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.efficienttam.config import PATCH, TABLE_SIDE, WINDOW, VitConfig
from sam2lite.models.sam2.hiera import Block


class Vit(nn.Module):
    """One map from one normalised image."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        width = config.width
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, stride=PATCH)})
        # That of the class comes first: a checkpoint has it, and nothing uses it.
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + TABLE_SIDE**2, width))
        self.blocks = nn.ModuleList(
            Block(width, width, config.heads, None if index in everywhere else WINDOW, False)
            for everywhere in [config.global_blocks]
            for index in range(config.blocks)
        )

    def forward(self, image_bchw: Tensor) -> Tensor:
        """Return `[1, C, H, W]` at stride 16.

        Args:
            image_bchw: normalised, sides that are multiples of 16.
        """
        x_bchw = self.patch_embed["proj"](image_bchw)
        height, width = (int(side) for side in x_bchw.shape[2:])
        x_bchw = x_bchw + self.positions(height, width)
        x_bnc, grid = x_bchw.flatten(2).transpose(1, 2), (height, width)
        for block in self.blocks:
            x_bnc, grid = block(x_bnc, grid)
        result: Tensor = x_bnc.transpose(1, 2).reshape(1, -1, height, width)
        return result

    def positions(self, height: int, width: int) -> Tensor:
        """Return the position table of a grid, `[1, C, height, width]`: the one there is, resized.

        The published code resizes bilinearly instead on Macs, where PyTorch could not do this.
        """
        table_bnc = self.pos_embed[:, 1:]
        side = math.isqrt(int(table_bnc.shape[1]))
        table_bchw = table_bnc.transpose(1, 2).reshape(1, -1, side, side)
        if (height, width) == (side, side):
            return table_bchw
        return F.interpolate(table_bchw, size=(height, width), mode="bicubic")
