"""How image tokens read the memory, recorded from outside the decoder by hooks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.contracts.families.sam2lite import AGE_HORIZON_FRAMES
from sam2lite.contracts.loop import MASKED_BIAS
from sam2lite.models.sam2lite.mask_decoder import HEADS, NULL_TOKENS, MaskDecoder


@dataclass(frozen=True)
class MemoryReading:
    """What the L layers of one decoding asked of the memory of N objects, and what it held.

    The decoder reads memory and prompt queries in one softmax. Here it is taken over the memory
    alone, null token first, so that shares of networks with different queries are comparable.
    Nothing is computed before it is asked for.

    Shapes: `query_lnic` [L, N, I, C] of I image tokens; `key_nmc` and `value_nmc` [N, M, C], as the
    decoder projects them; `bias_nm` [N, M]; `age_nm` int64 [N, M], frames, 0 for the null token.
    """

    query_lnic: Tensor
    key_nmc: Tensor
    value_nmc: Tensor
    bias_nm: Tensor
    age_nm: Tensor

    @cached_property
    def attention_lnhim(self) -> Tensor:
        """Attention over the memory, float32. Shape: `[L, N, heads, I, M]`."""
        query_lnihd = _heads(self.query_lnic)
        key_nmhd = _heads(self.key_nmc) * query_lnihd.shape[-1] ** -0.5
        scores_lnhim = torch.einsum("lnihd,nmhd->lnhim", query_lnihd, key_nmhd)
        return torch.softmax(scores_lnhim + self.bias_nm[:, None, None], dim=-1)

    def share_lnib(self, bins: int) -> Tensor:
        """Return the attention by the frame that a token is of, averaged over heads.

        Bin 0 is the null token, bin a the frame a frames ago. Shape: `[L, N, I, bins]`.
        """
        return self.attention_lnhim.mean(dim=2) @ F.one_hot(self.age_nm, bins).float()

    def held_nb(self, bins: int) -> Tensor:
        """Return which bins have a token that can be read. Shape: bool `[N, bins]`."""
        readable_nm1 = (self.bias_nm > 0.5 * MASKED_BIAS)[..., None]
        return (F.one_hot(self.age_nm, bins).bool() & readable_nm1).any(dim=1)

    def readout_lnic(self) -> Tensor:
        """Return what is read: the values weighed by the attention. Shape: `[L, N, I, C]`."""
        return torch.einsum(
            "lnhim,nmhd->lnihd", self.attention_lnhim, _heads(self.value_nmc)
        ).flatten(-2)


@contextmanager
def recorded(decoder: MaskDecoder) -> Iterator[list[MemoryReading]]:
    """Record every decoding inside the block that has a bank to read from.

    The bins are ages, not frame numbers: the decoder knows no frame numbers, and two networks on
    the same frame mean the same frame by the same age.
    """
    readings: list[MemoryReading] = []
    query: list[Tensor] = []
    projected: list[Tensor] = []  # keys, then values

    def begin(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        query.clear()
        projected.clear()

    def end(module: nn.Module, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        age_nm, bias_b11m = inputs[5], inputs[6]
        if not age_nm.shape[1]:
            return
        # Of the null tokens, which are equal, the one that is seen.
        key_nmc, value_nmc = (tensor[:, NULL_TOKENS - 1 :] for tensor in projected)
        frames_nm = torch.expm1(age_nm * math.log1p(AGE_HORIZON_FRAMES)).round().long()
        # The null token, which the decoder puts first, is always seen.
        readings.append(
            MemoryReading(
                torch.stack(query),
                key_nmc,
                value_nmc,
                F.pad(bias_b11m[:, 0, 0], (1, 0)),
                F.pad(frames_nm, (1, 0)),
            )
        )

    def keep(kept: list[Tensor], linear: nn.Module) -> torch.utils.hooks.RemovableHandle:
        return linear.register_forward_hook(lambda module, inputs, output: kept.append(output))

    handles = [
        decoder.register_forward_pre_hook(begin),
        keep(projected, decoder.memory_key),
        keep(projected, decoder.memory_value),
        *(keep(query, layer.image_query) for layer in decoder.layers),  # type: ignore[arg-type]
        decoder.register_forward_hook(end),
    ]
    try:
        yield readings
    finally:
        for handle in handles:
            handle.remove()


def _heads(tokens: Tensor) -> Tensor:
    """Split the last axis in two, in float32. Shape: `[..., C]` -> `[..., heads, C / heads]`."""
    return tokens.float().reshape(*tokens.shape[:-1], HEADS, -1)
