"""A mask and the features under it, as the memory of a frame."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS, MEMORY_CHANNELS
from sam2lite.models.sam2.blocks import LayerNorm2d

_MASK_WIDTHS = (1, 4, 16, 64, 256)
_FUSER_BLOCKS = 2


class MaskDownsampler(nn.Module):
    """A mask of the input's size at stride 16."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width, width_out in pairwise(_MASK_WIDTHS):
            conv = nn.Conv2d(width, width_out, 3, stride=2, padding=1)
            layers += [conv, LayerNorm2d(width_out), nn.GELU()]
        layers.append(nn.Conv2d(_MASK_WIDTHS[-1], EMBED_CHANNELS, 1))
        self.encoder = nn.Sequential(*layers)

    def forward(self, mask_b1hw: Tensor) -> Tensor:
        """Return `[1, 256, H / 16, W / 16]`."""
        result: Tensor = self.encoder(mask_b1hw)
        return result


class FuserBlock(nn.Module):
    """A ConvNeXt block."""

    def __init__(self) -> None:
        super().__init__()
        width = EMBED_CHANNELS
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = LayerNorm2d(width)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        # Three axes: of four, ONNX Runtime computes linear layers in INT8 as float.
        inner_bnc = self.norm(self.dwconv(x_bchw)).flatten(2).transpose(1, 2)
        inner_bnc = self.gamma * self.pwconv2(F.gelu(self.pwconv1(inner_bnc)))
        sides = [int(side) for side in x_bchw.shape]
        result: Tensor = x_bchw + inner_bnc.transpose(1, 2).reshape(sides)
        return result


class Fuser(nn.Module):
    """Blocks one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(FuserBlock() for _ in range(_FUSER_BLOCKS))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        for layer in self.layers:
            x_bchw = layer(x_bchw)
        return x_bchw


class MemoryEncoder(nn.Module):
    """Features and a mask, fused."""

    def __init__(self) -> None:
        super().__init__()
        self.mask_downsampler = MaskDownsampler()
        self.pix_feat_proj = nn.Conv2d(EMBED_CHANNELS, EMBED_CHANNELS, 1)
        self.fuser = Fuser()
        self.out_proj = nn.Conv2d(EMBED_CHANNELS, MEMORY_CHANNELS, 1)

    def forward(self, pix_feat_bchw: Tensor, mask_b1hw: Tensor) -> Tensor:
        """Return `[1, 64, H16, W16]`.

        Args:
            pix_feat_bchw: features at stride 16, as the neck gives them.
            mask_b1hw: of the input's size, -10 beside the object to 10 on it.
        """
        fused = self.pix_feat_proj(pix_feat_bchw) + self.mask_downsampler(mask_b1hw)
        result: Tensor = self.out_proj(self.fuser(fused))
        return result


class Cells(nn.Module):
    """The memory of a frame as tokens: each cell is one."""

    def forward(self, memory_bchw: Tensor) -> Tensor:
        """Return `[1, H * W, 64]`, row by row."""
        return memory_bchw.flatten(2).transpose(1, 2)
