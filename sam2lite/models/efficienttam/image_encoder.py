"""EfficientTAM's image encoder: the trunk, and a neck that brings its map to 256 channels."""

from __future__ import annotations

from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS
from sam2lite.models.efficienttam.config import VitConfig
from sam2lite.models.efficienttam.vit import Vit
from sam2lite.models.sam2.blocks import LayerNorm2d


class Lateral(nn.Module):
    """Two convolutions, a norm after each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = EMBED_CHANNELS
        self.conv_1x1 = nn.Conv2d(channels, width, 1, bias=False)
        self.norm_0 = LayerNorm2d(width)
        self.conv_3x3 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm_1 = LayerNorm2d(width)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return `[1, 256, H, W]`."""
        x_bchw = self.norm_0(self.conv_1x1(x_bchw))
        result: Tensor = self.norm_1(self.conv_3x3(x_bchw))
        return result


class Neck(nn.Module):
    """One map; a list of one, as checkpoints have it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([Lateral(channels)])

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return `[1, 256, H, W]`."""
        result: Tensor = self.convs[0](x_bchw)
        return result


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.trunk = Vit(config)
        self.neck = Neck(config.width)

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return `[1, 256, H, W]` at stride 16, alone.

        Args:
            image_bchw: normalised.
        """
        return [self.neck(self.trunk(image_bchw))]
