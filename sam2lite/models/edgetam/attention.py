"""Attention to memory whose global tokens have no place, for inference."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.contracts.families.edgetam import GLOBAL_TOKENS
from sam2lite.models.sam2.fused import FoldedAttention, turned
from sam2lite.models.sam2.memory_attention import Rotations

# Scores that are held at a time: what stays in a processor's second cache, as they are put together
# from two products and read by a softmax and another one.
_MOST_SCORES = 1 << 20


class PartlyPlacedAttention(FoldedAttention):
    """`FoldedAttention` in which only keys with a place are projected and rotated.

    A key that is not rotated scores what the query, brought back through the projection of keys,
    scores with the token itself: 64 channels instead of 256, for half of the keys. The bias of that
    projection adds the same to all scores of a query, which no softmax sees, once it is taken from
    the keys that are rotated.
    """

    def __init__(self, attention: FoldedAttention) -> None:
        """Build it.

        Args:
            attention: to memory; its parts are taken over.
        """
        super(FoldedAttention, self).__init__()
        self.pooling = attention.pooling
        self.q_proj, self.k_proj = attention.q_proj, attention.k_proj
        self.out_proj = attention.out_proj
        self.q_back = nn.Linear(self.k_proj.out_features, self.k_proj.in_features, bias=False)
        with torch.no_grad():
            self.q_back.weight.copy_(self.k_proj.weight.T)
        self.requires_grad_(False)

    def forward(
        self,
        query_bnc: Tensor,
        key_bkc: Tensor,
        value_bkc: Tensor,
        rotation: Rotations,
        frames: int = 1,
        bias_b1k: Tensor | None = None,
    ) -> Tensor:
        """See `RotaryAttention.forward`; there is a bias."""
        assert bias_b1k is not None
        tokens = int(rotation.key[0].shape[0])
        cosine, sine = (table[GLOBAL_TOKENS:] for table in rotation.key)
        query_bnc = turned(self.q_proj(query_bnc), rotation.query)
        placed_fnc, free_kc = _apart(key_bkc, frames, tokens)
        placed_fnc = turned(self.k_proj(placed_fnc), (cosine, sine)) - self.k_proj.bias
        placed_kc = placed_fnc.reshape(-1, query_bnc.shape[2])
        value_kc = _joined(value_bkc, frames, tokens)
        bias_k = _joined(bias_b1k.transpose(1, 2), frames, tokens).reshape(-1)
        biases = torch.split(bias_k, [int(placed_kc.shape[0]), int(free_kc.shape[0])])
        queries = int(query_bnc.shape[1])
        step = -(-queries // -(-queries * int(value_kc.shape[0]) // _MOST_SCORES))
        parts = (torch.split(x[0], step) for x in (query_bnc, self.q_back(query_bnc)))
        seen = []
        for query_nc, back_nc in zip(*parts, strict=True):
            scores = F.linear(query_nc, placed_kc, biases[0]), F.linear(back_nc, free_kc, biases[1])
            seen.append(torch.softmax(torch.cat(scores, dim=1), dim=-1) @ value_kc)
        result: Tensor = self.out_proj(torch.cat(seen)[None])
        return result


def _apart(x_bkc: Tensor, frames: int, tokens: int) -> tuple[Tensor, Tensor]:
    """Return what has a place, `[frames, tokens, C]`, and all else, `[K, C]`, pointers last."""
    count, channels = (int(side) for side in x_bkc.shape[1:])
    of_frames, others_kc = torch.split(x_bkc[0], [frames * tokens, count - frames * tokens])
    each_fnc = of_frames.reshape(frames, tokens, channels)
    free_fnc, placed_fnc = torch.split(each_fnc, [GLOBAL_TOKENS, tokens - GLOBAL_TOKENS], dim=1)
    return placed_fnc, torch.cat([free_fnc.reshape(-1, channels), others_kc])


def _joined(x_bkc: Tensor, frames: int, tokens: int) -> Tensor:
    """Return what has a place and then all else, `[K, C]`."""
    placed_fnc, free_kc = _apart(x_bkc, frames, tokens)
    return torch.cat([placed_fnc.reshape(-1, free_kc.shape[1]), free_kc])
