"""SAM 2's image encoder: the trunk, and a neck that brings its maps to one width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS
from sam2lite.models.sam2.config import HieraConfig
from sam2lite.models.sam2.hiera import Hiera


class Lateral(nn.Module):
    """A map brought to the width of all others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, EMBED_CHANNELS, 1)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return `[1, 256, H, W]`."""
        result: Tensor = self.conv(x_bchw)
        return result


class Neck(nn.Module):
    """Maps at strides 4, 8 and 16, 256 channels each; stride 32 goes into that at 16."""

    def __init__(self, channels: list[int]) -> None:
        """Build it.

        Args:
            channels: of the trunk's maps, finest first.
        """
        super().__init__()
        self.convs = nn.ModuleList(Lateral(count) for count in reversed(channels))  # coarsest first

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return the maps at strides 4, 8 and 16.

        Args:
            maps: of the trunk, finest first.
        """
        s4, s8, s16, s32 = (
            conv(x) for conv, x in zip(reversed(list(self.convs)), maps, strict=True)
        )
        return [s4, s8, s16 + _doubled(s32)]


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, config: HieraConfig) -> None:
        super().__init__()
        self.trunk = Hiera(config)
        self.neck = Neck([config.embed_dim << stage for stage in range(len(config.blocks))])

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return `[1, 256, H, W]` at strides 4, 8 and 16.

        Args:
            image_bchw: normalised.
        """
        result: list[Tensor] = self.neck(self.trunk(image_bchw))
        return result


def _doubled(x_bchw: Tensor) -> Tensor:
    """Return each cell four times, `[1, C, 2 H, 2 W]`: what a resize to the nearest does."""
    batch, channels, height, width = (int(side) for side in x_bchw.shape)
    x_bchw = torch.stack([x_bchw, x_bchw], dim=4).reshape(batch, channels, height, 2 * width)
    x_bchw = torch.stack([x_bchw, x_bchw], dim=3)
    return x_bchw.reshape(batch, channels, 2 * height, 2 * width)
