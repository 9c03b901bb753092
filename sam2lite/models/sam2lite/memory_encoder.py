"""Memory encoder: a frame and its mask become 32 tokens, the last one the object pointer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2lite import MEMORY_CHANNELS, TOKENS_PER_FRAME
from sam2lite.models.sam2lite.blocks import ConvBlock, tokens_from_map
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.positions import FourierFeatures, area_resample

# Memory lives on one grid whatever the rung, so that tokens of different rungs mean the same and
# the encoder costs the same. 15 is the finest grid that the lowest rung (240 px, stride 16) has.
GRID = 15
CELL_TOKENS = TOKENS_PER_FRAME - 1
ENTROPY_WEIGHT = 0.5
# Cells deep inside a large object all score 1.0: which ones win must neither depend on a backend's
# TopK nor be the top rows. A fixed low-discrepancy order spreads the winners over the object.
SPREAD_WEIGHT = 0.05


def spread_order(cells: int) -> Tensor:
    """Return a number in 0..1 per cell, distinct, neighbours far apart (golden-ratio sequence).

    Shape: `[cells]`.
    """
    golden = 0.6180339887498949
    return torch.remainder(torch.arange(cells, dtype=torch.float64) * golden, 1.0).float()


def entropy_bits(probability: Tensor) -> Tensor:
    """Entropy of a Bernoulli variable in bits, 0..1, elementwise."""
    # Half precision, as in training under autocast, has no number that near to 1.
    p = probability.to(torch.promote_types(probability.dtype, torch.float32))
    p = p.clamp(1e-6, 1.0 - 1e-6)
    return -(p * torch.log2(p) + (1.0 - p) * torch.log2(1.0 - p))


class MemoryEncoder(nn.Module):
    """Keys, values and uncertainty of a frame's tokens; spec `MEMORY_ENCODER`."""

    spread_1n: Tensor

    def __init__(self, config: Sam2LiteConfig) -> None:
        super().__init__()
        dim = config.memory_dim
        self.mask_fine = nn.Conv2d(1, dim // 4, 3, 2, 1)
        self.mask_coarse = nn.Conv2d(dim // 4, dim, 3, 2, 1)
        self.image = nn.Conv2d(config.embed_dim, dim, 1)
        self.blocks = nn.Sequential(*(ConvBlock(dim, 2 * dim) for _ in range(config.memory_blocks)))
        self.norm = nn.LayerNorm(dim)
        self.fourier = FourierFeatures(dim)
        self.place = nn.Linear(dim, MEMORY_CHANNELS)
        self.key = nn.Linear(dim, MEMORY_CHANNELS)
        self.value = nn.Linear(dim, MEMORY_CHANNELS)
        self.pointer_key = nn.Linear(MEMORY_CHANNELS, MEMORY_CHANNELS)
        self.pointer_value = nn.Linear(MEMORY_CHANNELS, MEMORY_CHANNELS)
        self.register_buffer("spread_1n", spread_order(GRID * GRID)[None], persistent=False)

    def forward(
        self, features_s16_bchw: Tensor, mask_logits_b1hw: Tensor, object_pointer_bc: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode one frame of one object; see `MEMORY_ENCODER` for names and shapes."""
        fine_b1hw = area_resample(torch.sigmoid(mask_logits_b1hw), 4 * GRID)
        cell_bn = area_resample(fine_b1hw, GRID).flatten(1)
        entropy_bn = entropy_bits(cell_bn)

        mask_bchw = self.mask_coarse(torch.relu(self.mask_fine(fine_b1hw - 0.5)))
        image_bchw = self.image(area_resample(features_s16_bchw, GRID))
        map_bnc = self.norm(tokens_from_map(self.blocks(torch.relu(image_bchw + mask_bchw))))

        score_bn = cell_bn + ENTROPY_WEIGHT * entropy_bn + SPREAD_WEIGHT * self.spread_1n
        index_bk = torch.topk(score_bn, CELL_TOKENS, dim=1).indices
        index_bkc = index_bk[..., None].expand(-1, -1, map_bnc.shape[-1])
        token_bkc = torch.gather(map_bnc, 1, index_bkc)
        place_bkc = torch.gather(
            self.fourier.grid(GRID).expand(map_bnc.shape[0], -1, -1), 1, index_bkc
        )
        pointer_b1c = object_pointer_bc[:, None]
        key = torch.cat(
            [self.key(token_bkc) + self.place(place_bkc), self.pointer_key(pointer_b1c)], dim=1
        )
        value = torch.cat([self.value(token_bkc), self.pointer_value(pointer_b1c)], dim=1)
        uncertainty_bk = torch.gather(entropy_bn, 1, index_bk)
        mean_b1 = entropy_bn.mean(dim=1, keepdim=True)
        return key, value, torch.cat([uncertainty_bk, mean_b1], dim=1)
