"""Image encoder: a convolutional stem and stages, attention in the coarse ones, a small neck."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from sam2lite.models.sam2lite.blocks import (
    ConvBlock,
    ConvBn,
    Mlp,
    SelfAttention,
    map_from_tokens,
    sub_pixel,
    tokens_from_map,
)
from sam2lite.models.sam2lite.config import Sam2LiteConfig, StageConfig
from sam2lite.models.sam2lite.positions import resized_table

HEAD_DIM = 32
STEM_STRIDE = 4

# ImageNet's statistics on 0..255, the field's habit; any fixed numbers would do.
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


class AttentionBlock(nn.Module):
    """Pre-norm transformer block whose keys and values may be pooled by a strided convolution."""

    def __init__(self, config: StageConfig) -> None:
        super().__init__()
        width = config.width
        self.norm_attention = nn.LayerNorm(width)
        self.attention = SelfAttention(width, width, max(1, width // HEAD_DIM))
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = Mlp(width, config.mlp_ratio * width, width)
        self.pool = (
            ConvBn(width, width, 3, stride=config.kv_stride, depthwise=True)
            if config.kv_stride > 1
            else None
        )

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Attend over the whole map. Shape: `[b, width, h, w]` in and out."""
        _, _, h, w = x_bchw.shape
        x_bnc = tokens_from_map(x_bchw)
        q_bnc = kv_bmc = self.norm_attention(x_bnc)
        if self.pool is not None:
            kv_bmc = tokens_from_map(self.pool(map_from_tokens(q_bnc, h, w)))
        x_bnc = x_bnc + self.attention(q_bnc, kv_bmc)
        x_bnc = x_bnc + self.mlp(self.norm_mlp(x_bnc))
        return map_from_tokens(x_bnc, h, w)


class Stage(nn.Module):
    """Blocks at one resolution, with a learned position table where attention needs one."""

    def __init__(self, config: StageConfig, side: int) -> None:
        super().__init__()
        makers: dict[str, Callable[[], nn.Module]] = {
            "c": lambda: ConvBlock(config.width, 2 * config.width),
            "a": lambda: AttentionBlock(config),
        }
        self.blocks = nn.ModuleList(makers[letter]() for letter in config.blocks)
        self.position_1chw = (
            nn.Parameter(0.02 * torch.randn(1, config.width, side, side))
            if "a" in config.blocks
            else None
        )
        self.first_attention = config.blocks.find("a")

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Run the blocks. Shape: `[b, width, h, w]` in and out."""
        for index, block in enumerate(self.blocks):
            if self.position_1chw is not None and index == self.first_attention:
                x_bchw = x_bchw + resized_table(self.position_1chw, int(x_bchw.shape[-1]))
            x_bchw = block(x_bchw)
        return x_bchw


class ImageEncoder(nn.Module):
    """Features at strides 16, 8 and 4 from one square image; spec `IMAGE_ENCODER`."""

    pixel_scale: Tensor
    pixel_shift: Tensor

    def __init__(self, config: Sam2LiteConfig) -> None:
        super().__init__()
        widths = [stage.width for stage in config.stages]
        mean = torch.tensor(PIXEL_MEAN).reshape(1, 3, 1, 1)
        std = torch.tensor(PIXEL_STD).reshape(1, 3, 1, 1)
        self.register_buffer("pixel_scale", 1.0 / std, persistent=False)
        self.register_buffer("pixel_shift", -mean / std, persistent=False)
        self.stem = nn.ModuleList(
            [ConvBn(3, widths[0] // 2, 3, stride=2), ConvBn(widths[0] // 2, widths[0], 3, stride=2)]
        )
        self.downs = nn.ModuleList(ConvBn(a, b, 3, stride=2) for a, b in pairwise(widths))
        self.stages = nn.ModuleList(
            Stage(stage, -(-config.base_size // (STEM_STRIDE << index)))
            for index, stage in enumerate(config.stages)
        )
        skip_s8, skip_s4 = config.skip_dims
        self.lateral_s4 = nn.Conv2d(widths[0], skip_s4, 1)
        self.lateral_s8 = nn.Conv2d(widths[1], skip_s8, 1)
        self.lateral_s16 = nn.Conv2d(widths[2], config.embed_dim, 1)
        # Sub-pixel upsampling from stride 32: no Resize node, and the filter is learned.
        self.lateral_s32 = (
            nn.Conv2d(widths[3], 4 * config.embed_dim, 1) if len(widths) > 3 else None
        )
        self.smooth = ConvBlock(config.embed_dim, config.embed_dim)
        self.norm = nn.LayerNorm(config.embed_dim)

    def forward(self, image_bchw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode one image; see `IMAGE_ENCODER` for names and shapes.

        The pixel normalisation is part of the graph.
        """
        x_bchw = image_bchw.to(self.pixel_scale.dtype) * self.pixel_scale + self.pixel_shift
        for conv in self.stem:
            x_bchw = torch.relu(conv(x_bchw))
        maps = [self.stages[0](x_bchw)]
        for down, stage in zip(self.downs, self.stages[1:], strict=True):
            maps.append(stage(down(maps[-1])))  # each map feeds the next
        s16_bchw = self.lateral_s16(maps[2])
        if self.lateral_s32 is not None:
            side = int(s16_bchw.shape[-1])
            up_bchw = sub_pixel(self.lateral_s32(maps[3]))
            # An odd stride-16 side (240, 336, 432 px) leaves one row and column too many.
            s16_bchw = s16_bchw + up_bchw[:, :, :side, :side]
        side = int(s16_bchw.shape[-1])
        s16_bnc = self.norm(tokens_from_map(self.smooth(s16_bchw)))
        return (
            map_from_tokens(s16_bnc, side, side),
            self.lateral_s8(maps[1]),
            self.lateral_s4(maps[0]),
        )
