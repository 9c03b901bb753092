"""Memory selection: an importance MLP ranks old and new tokens, the best fill the bank."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2lite import (
    ANCHOR_BONUS,
    INVALID_PENALTY,
    MEMORY_CHANNELS,
    META_ANCHOR,
    META_UNCERTAINTY,
    META_VALID,
)
from sam2lite.models.sam2lite.blocks import Mlp

SCORED_META = META_UNCERTAINTY + 1  # age, motion, uncertainty


class MemorySelect(nn.Module):
    """Prune the bank to its budget; spec `MEMORY_SELECT`, one graph for every rung."""

    def __init__(self) -> None:
        super().__init__()
        self.importance = Mlp(2 * MEMORY_CHANNELS + SCORED_META, 128, 64, 1)

    def importance_logits(self, key_bnc: Tensor, value_bnc: Tensor, meta_bnc: Tensor) -> Tensor:
        """Return the learned importance before its sigmoid; shapes as for `scores`."""
        inputs = torch.cat([key_bnc, value_bnc, meta_bnc[..., :SCORED_META]], dim=-1)
        logit_bn: Tensor = self.importance(inputs)[..., 0]
        return logit_bn

    def scores(self, key_bnc: Tensor, value_bnc: Tensor, meta_bnc: Tensor) -> Tensor:
        """Rank tokens. Shape: `[b, n, 256]` twice and `[b, n, 5]` -> `[b, n]`.

        A sigmoid bounds the learned part, so that an anchor always outranks a tracked token and
        any token outranks an empty slot.
        """
        learned_bn = torch.sigmoid(self.importance_logits(key_bnc, value_bnc, meta_bnc))
        anchor_bn, valid_bn = meta_bnc[..., META_ANCHOR], meta_bnc[..., META_VALID]
        return learned_bn + ANCHOR_BONUS * anchor_bn + INVALID_PENALTY * (1.0 - valid_bn)

    def forward(
        self,
        memory_key_bnc: Tensor,
        memory_value_bnc: Tensor,
        token_key_bnc: Tensor,
        token_value_bnc: Tensor,
        candidate_meta_bnc: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Keep the best `budget` of bank and new tokens; see `MEMORY_SELECT` for the shapes."""
        budget = memory_key_bnc.shape[1]
        key_bnc = torch.cat([memory_key_bnc, token_key_bnc], dim=1)
        value_bnc = torch.cat([memory_value_bnc, token_value_bnc], dim=1)
        score_bn = self.scores(key_bnc, value_bnc, candidate_meta_bnc)
        index_bn = torch.topk(score_bn, budget, dim=1).indices
        index_bnc = index_bn[..., None].expand(-1, -1, MEMORY_CHANNELS)
        return (
            torch.gather(key_bnc, 1, index_bnc),
            torch.gather(value_bnc, 1, index_bnc),
            index_bn.to(torch.int32),
            score_bn,
        )
