"""CAS-ViT as it is trained, "Convolutional Additive Self-attention", arXiv 2408.03703.

Modules have the names that its authors' have. Of attention there is a product of gates: no softmax,
no matrix of tokens, and so any size of input. `casvit_joined.py` has the form for inference.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.backbones.config import CasVitConfig
from sam2lite.models.layers.batch_norm import BatchNorm

_EXPANSION = 4  # of channels between two convolutions of 1 x 1 cells


class SpatialGate(nn.Module):
    """Scales cells by a share that all channels agree on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels),
            BatchNorm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, 1, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        result: Tensor = x_bchw * self.block(x_bchw)
        return result


class ChannelGate(nn.Module):
    """Scales channels by a share that their means say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1, bias=False), nn.Sigmoid()
        )

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        result: Tensor = x_bchw * self.block(x_bchw)
        return result


class LocalPerception(nn.Module):
    """What lies beside a cell."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(channels, channels, 1),
            BatchNorm(channels),
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels),
            nn.GELU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        result: Tensor = self.network(x_bchw)
        return result


class AdditiveAttention(nn.Module):
    """Queries and keys, each gated, are added; what lies beside their sums scales values."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.oper_q = nn.Sequential(SpatialGate(channels), ChannelGate(channels))
        self.oper_k = nn.Sequential(SpatialGate(channels), ChannelGate(channels))
        self.dwc = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)
        self.proj = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        query, key, value = torch.chunk(self.qkv(x_bchw), 3, dim=1)
        result: Tensor = self.proj(self.dwc(self.oper_q(query) + self.oper_k(key)) * value)
        return result


class Mlp(nn.Module):
    """Each cell for itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, _EXPANSION * channels, 1)
        self.fc2 = nn.Conv2d(_EXPANSION * channels, channels, 1)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        result: Tensor = self.fc2(F.gelu(self.fc1(x_bchw)))
        return result


class AdditiveBlock(nn.Module):
    """Perception, attention and cells, each of which is added to what goes in.

    Attributes:
        prenormed: convolutions with the batch norms that stand before them.
    """

    prenormed: ClassVar[tuple[tuple[str, str], ...]] = (("attn.qkv", "norm1"), ("mlp.fc1", "norm2"))

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.local_perception = LocalPerception(channels)
        self.norm1: nn.Module = BatchNorm(channels)
        self.attn = AdditiveAttention(channels)
        self.norm2: nn.Module = BatchNorm(channels)
        self.mlp = Mlp(channels)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        x_bchw = x_bchw + self.local_perception(x_bchw)
        x_bchw = x_bchw + self.attn(self.norm1(x_bchw))
        result: Tensor = x_bchw + self.mlp(self.norm2(x_bchw))
        return result


class Embedding(nn.Module):
    """From one stage to the next.

    Attributes:
        normed: convolutions with the batch norms that follow them.
    """

    normed: ClassVar[tuple[tuple[str, str], ...]] = (("proj", "norm"),)

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, out, 3, 2, 1)
        self.norm = BatchNorm(out)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return `[B, out, H / 2, W / 2]`."""
        result: Tensor = self.norm(self.proj(x_bchw))
        return result


class CasVit(nn.Module):
    """The trunk.

    Attributes:
        output_norms: batch norms that its maps go through, finest first.
    """

    output_norms: ClassVar[tuple[str, ...]] = ("norm0", "norm2", "norm4", "norm6")

    def __init__(self, config: CasVitConfig) -> None:
        super().__init__()
        widths = config.widths
        self.patch_embed = nn.Sequential(
            nn.Conv2d(3, widths[0] // 2, 3, 2, 1),
            BatchNorm(widths[0] // 2),
            nn.ReLU(),
            nn.Conv2d(widths[0] // 2, widths[0], 3, 2, 1),
            BatchNorm(widths[0]),
            nn.ReLU(),
        )
        self.network = nn.ModuleList()
        for index, (width, blocks) in enumerate(zip(widths, config.blocks, strict=True)):
            if index > 0:
                self.network.append(Embedding(widths[index - 1], width))
            self.network.append(nn.Sequential(*(AdditiveBlock(width) for _ in range(blocks))))
        for name, width in zip(self.output_norms, widths, strict=True):
            self.add_module(name, BatchNorm(width))

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return maps at strides 4, 8, 16 and 32.

        Args:
            image_bchw: normalised.
        """
        maps: list[Tensor] = []
        x_bchw = self.patch_embed(image_bchw)
        for part in self.network:
            x_bchw = part(x_bchw)
            if isinstance(part, nn.Sequential):
                maps.append(self.get_submodule(self.output_norms[len(maps)])(x_bchw))
        return maps
