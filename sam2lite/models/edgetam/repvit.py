"""RepViT, EdgeTAM's trunk, as it is trained; "RepViT", arXiv 2307.09283.

Every convolution has a batch norm beside it, and three branches run side by side where one
convolution does for inference: `folded.py` makes it of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.edgetam.config import RepVitConfig
from sam2lite.models.layers.batch_norm import BatchNorm

_KERNEL = 3
_EXPANSION = 2  # of channels between two convolutions of 1 x 1 cells
_SQUEEZE, _MULTIPLE = 4, 8  # channels of squeeze and excitation: a quarter, to whole eights


class NormedConv(nn.Module):
    """A convolution without a bias, and its batch norm."""

    def __init__(
        self, channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        padding = kernel // 2
        self.c = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
        self.bn = BatchNorm(out, momentum=1.0)  # as trained, statistics are of the last batch

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return `[B, out, H / stride, W / stride]`."""
        result: Tensor = self.bn(self.c(x_bchw))
        return result


class TokenMixer(nn.Module):
    """Each channel for itself: 3 x 3 cells, each cell alone, and the cell as it is."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = NormedConv(channels, channels, _KERNEL, groups=channels)
        self.conv1 = NormedConv(channels, channels, groups=channels)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        result: Tensor = self.conv(x_bchw) + self.conv1(x_bchw) + x_bchw
        return result


class SqueezeExcite(nn.Module):
    """Scales channels by what their means say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        eights = int(channels / _SQUEEZE + _MULTIPLE / 2) // _MULTIPLE
        inner = max(eights, 1) * _MULTIPLE
        self.fc1 = nn.Conv2d(channels, inner, 1)
        self.fc2 = nn.Conv2d(inner, channels, 1)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        mean_bc11 = x_bchw.mean((2, 3), keepdim=True)
        result: Tensor = x_bchw * torch.sigmoid(self.fc2(torch.relu(self.fc1(mean_bc11))))
        return result


class ChannelMixer(nn.Module):
    """Each cell for itself; what goes in is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = NormedConv(channels, _EXPANSION * channels)
        self.conv2 = NormedConv(_EXPANSION * channels, channels)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        result: Tensor = x_bchw + self.conv2(F.gelu(self.conv1(x_bchw)))
        return result


class Block(nn.Module):
    """Space, then channels."""

    def __init__(self, channels: int, excites: bool) -> None:
        super().__init__()
        self.token_mixer = TokenMixer(channels)
        self.se = SqueezeExcite(channels) if excites else nn.Identity()
        self.channel_mixer = ChannelMixer(channels)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        result: Tensor = self.channel_mixer(self.se(self.token_mixer(x_bchw)))
        return result


class Downsample(nn.Module):
    """From one stage to the next."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.pre_block = Block(channels, excites=False)
        self.spatial_downsample = NormedConv(channels, channels, _KERNEL, 2, groups=channels)
        self.channel_downsample = NormedConv(channels, out)
        self.ffn = ChannelMixer(out)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return `[B, out, H / 2, W / 2]`."""
        halved = self.spatial_downsample(self.pre_block(x_bchw))
        result: Tensor = self.ffn(self.channel_downsample(halved))
        return result


class Stage(nn.Module):
    """Blocks at one resolution; every other one, from the first on, excites channels."""

    def __init__(self, channels: int, out: int, blocks: int, halves: bool) -> None:
        super().__init__()
        self.downsample = Downsample(channels, out) if halves else nn.Identity()
        self.blocks = nn.Sequential(*(Block(out, index % 2 == 0) for index in range(blocks)))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the stage's map."""
        result: Tensor = self.blocks(self.downsample(x_bchw))
        return result


class Stem(nn.Module):
    """The image at stride 4."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.conv1 = NormedConv(3, out // 2, _KERNEL, 2)
        self.conv2 = NormedConv(out // 2, out, _KERNEL, 2)

    def forward(self, image_bchw: Tensor) -> Tensor:
        """Return `[B, out, H / 4, W / 4]`."""
        result: Tensor = self.conv2(F.gelu(self.conv1(image_bchw)))
        return result


class RepVitBody(nn.Module):
    """All of it; stages have the names of checkpoints."""

    def __init__(self, config: RepVitConfig) -> None:
        super().__init__()
        self.stem = Stem(config.widths[0])
        before = config.widths[0]
        for index, (width, blocks) in enumerate(zip(config.widths, config.blocks, strict=True)):
            self.add_module(f"stages_{index}", Stage(before, width, blocks, halves=index > 0))
            before = width

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return maps at strides 4, 8, 16 and 32."""
        x_bchw, maps = self.stem(image_bchw), []
        for stage in list(self.children())[1:]:
            x_bchw = stage(x_bchw)
            maps.append(x_bchw)
        return maps


class RepVit(nn.Module):
    """The trunk."""

    def __init__(self, config: RepVitConfig) -> None:
        super().__init__()
        self.body = RepVitBody(config)

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return maps at strides 4, 8, 16 and 32.

        Args:
            image_bchw: normalised.
        """
        result: list[Tensor] = self.body(image_bchw)
        return result
