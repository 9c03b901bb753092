"""Memory that is attended to four cells at a time.

The published networks pool from the second frame of memory on, and attend to the first frame alone
cell by cell. What a frame sees is known before a graph runs, and loops take the smallest graph that
holds it, so the rule is chosen with the graph: one slot, every cell; more slots, pooled. In a graph
it would be a bias over the keys of both, five for every four that are needed, or a branch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sam2lite.models.efficienttam.config import LOGIT_POOLED, POOLED_CELLS
from sam2lite.models.sam2.memory_attention import Keys

# What four keys that are alike score together, one key scores with this added.
_WEIGHT = 2 * math.log(POOLED_CELLS)


class Pooling(nn.Module):
    """Keys and values of frames, averaged over 2 x 2 cells; those of pointers stay as they are.

    In the first of the two published forms the weight of the cells that are missing is added to
    scores. In the second it is added to every channel of the keys, which is something else: but it
    is what those networks were trained with.
    """

    def __init__(self, attention: str) -> None:
        """Build it.

        Args:
            attention: `pooled-1` or `pooled-2`.
        """
        super().__init__()
        self.adds_to_scores = attention == LOGIT_POOLED

    def forward(self, keys: Keys, grid: tuple[int, int], frames: int) -> Keys:
        """Return what is attended to.

        Args:
            keys: projected and rotated; frames, then pointers.
            grid: height and width of a frame, cells, both even.
            frames: how many there are; a single one stays as it is.
        """
        if frames == 1:
            return keys
        height, width = grid
        placed = frames * height * width
        key_bkc, value_bkc, bias_b1k = keys
        few_bkc = _averaged(key_bkc[:, :placed], grid, frames)
        if not self.adds_to_scores:
            few_bkc = few_bkc + _WEIGHT
        value_bkc = torch.cat(
            [_averaged(value_bkc[:, :placed], grid, frames), value_bkc[:, placed:]], dim=1
        )
        few = height * width // POOLED_CELLS**2
        # All cells of a frame are seen, or none.
        bias_1fn = bias_b1k[:, :, :placed].reshape(1, frames, height * width)
        seen_11k = bias_1fn[:, :, :few].reshape(1, 1, frames * few)
        if self.adds_to_scores:
            seen_11k = seen_11k + _WEIGHT
        return Keys(
            torch.cat([few_bkc, key_bkc[:, placed:]], dim=1),
            value_bkc,
            torch.cat([seen_11k, bias_b1k[:, :, placed:]], dim=2),
        )


def _averaged(x_bkc: Tensor, grid: tuple[int, int], frames: int) -> Tensor:
    """Return `[1, frames * N / 4, C]`: sums of rows, then of columns, each of two halves."""
    height, width = grid
    channels = int(x_bkc.shape[2])
    rows, columns = frames * height // POOLED_CELLS, width // POOLED_CELLS
    upper, lower = torch.split(
        x_bkc.reshape(rows, POOLED_CELLS * width * channels), width * channels, dim=1
    )
    pairs = (upper + lower).reshape(rows * columns, POOLED_CELLS * channels)
    left, right = torch.split(pairs, channels, dim=1)
    mean = (left + right) * (1.0 / POOLED_CELLS**2)
    return mean.reshape(1, rows * columns, channels)
