"""A residual network, "Deep Residual Learning for Image Recognition", arXiv 1512.03385.

Modules have the names that torchvision's have.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.backbones.config import ResNetConfig
from sam2lite.models.layers.batch_norm import BatchNorm

_STEM_KERNEL = 7


class BasicBlock(nn.Module):
    """Two convolutions, to which what goes in is added.

    Attributes:
        normed: convolutions with the batch norms that follow them.
    """

    normed: ClassVar[tuple[tuple[str, str], ...]] = (("conv1", "bn1"), ("conv2", "bn2"))

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = BatchNorm(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = BatchNorm(out)
        self.downsample = nn.Sequential()
        if stride != 1 or channels != out:
            self.downsample.append(nn.Conv2d(channels, out, 1, stride, bias=False))
            self.downsample.append(BatchNorm(out))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return `[B, out, H / stride, W / stride]`."""
        inner = torch.relu(self.bn1(self.conv1(x_bchw)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.downsample(x_bchw))


class ResNet(nn.Module):
    """The trunk, without a classifier.

    Attributes:
        normed: see `BasicBlock`.
    """

    normed: ClassVar[tuple[tuple[str, str], ...]] = (("conv1", "bn1"),)

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        before = config.widths[0]
        self.conv1 = nn.Conv2d(3, before, _STEM_KERNEL, 2, _STEM_KERNEL // 2, bias=False)
        self.bn1 = BatchNorm(before)
        for index, (width, blocks) in enumerate(zip(config.widths, config.blocks, strict=True)):
            first = BasicBlock(before, width, 1 if index == 0 else 2)
            others = (BasicBlock(width, width, 1) for _ in range(blocks - 1))
            self.add_module(f"layer{index + 1}", nn.Sequential(first, *others))
            before = width

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return maps at strides 4, 8, 16 and 32.

        Args:
            image_bchw: normalised.
        """
        x_bchw = F.max_pool2d(torch.relu(self.bn1(self.conv1(image_bchw))), 3, 2, 1)
        maps = []
        for index in range(4):
            x_bchw = self.get_submodule(f"layer{index + 1}")(x_bchw)
            maps.append(x_bchw)
        return maps
