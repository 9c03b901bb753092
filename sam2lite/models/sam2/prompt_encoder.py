"""Clicks, boxes and masks as tokens and maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS
from sam2lite.contracts.loop import LABEL_PAD
from sam2lite.models.sam2.blocks import LayerNorm2d
from sam2lite.models.sam2.positions import cell_centres, fourier_features

_MASK_WIDTHS = (1, 4, 16)


class FourierPositions(nn.Module):
    """Random directions that points are projected on."""

    def __init__(self) -> None:
        super().__init__()
        matrix = torch.randn(2, EMBED_CHANNELS // 2)
        self.register_buffer("positional_encoding_gaussian_matrix", matrix)
        self.positional_encoding_gaussian_matrix: Tensor

    def forward(self, xy_norm: Tensor) -> Tensor:
        """Return `[..., 256]` of `[..., 2]`, x and y in 0..1."""
        return fourier_features(xy_norm, self.positional_encoding_gaussian_matrix)


class PromptEncoder(nn.Module):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        width, (one, few, more) = EMBED_CHANNELS, _MASK_WIDTHS
        self.pe_layer = FourierPositions()
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(LABEL_PAD))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.no_mask_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(one, few, 2, stride=2),
            LayerNorm2d(few),
            nn.GELU(),
            nn.Conv2d(few, more, 2, stride=2),
            LayerNorm2d(more),
            nn.GELU(),
            nn.Conv2d(more, width, 1),
        )

    def points(self, xy_norm_bpc: Tensor, label_bp: Tensor) -> Tensor:
        """Return tokens `[1, P, 256]`.

        Args:
            xy_norm_bpc: `[1, P, 2]`, x and y in 0..1.
            label_bp: `[1, P]`, `contracts.loop.LABEL_*`; the last is nowhere.
        """
        tables = [*self.point_embeddings, self.not_a_point_embed]
        kinds = torch.cat([table.weight for table in tables])
        placed = torch.ones(len(tables), 1)
        placed[LABEL_PAD] = 0.0
        result: Tensor = (
            self.pe_layer(xy_norm_bpc) * placed[label_bp.long()] + kinds[label_bp.long()]
        )
        return result

    def mask(self, mask_b1hw: Tensor, flag_b111: Tensor) -> Tensor:
        """Return `[1, 256, H / 4, W / 4]`: of the mask where the flag is 1, of none where 0."""
        none = self.no_mask_embed.weight.reshape(1, -1, 1, 1)
        result: Tensor = none + flag_b111 * (self.mask_downscaling(mask_b1hw) - none)
        return result

    def grid(self, height: int, width: int) -> Tensor:
        """Return the positions of cells, `[1, height * width, 256]`."""
        centres = cell_centres(height, width).type_as(self.no_mask_embed.weight)
        encoded: Tensor = self.pe_layer(centres)
        return encoded[None]
