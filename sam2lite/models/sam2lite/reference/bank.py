"""The memory bank of one object in the reference loop, as a value: every change makes a new one.

Rules and step numbers are those of docs/architecture.md, "The frame loop".
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sam2lite.contracts.families.sam2lite import (
    AGE_HORIZON_FRAMES,
    MEMORY_CHANNELS,
    TOKENS_PER_FRAME,
)
from sam2lite.models.sam2lite.memory_select import MemorySelect
from sam2lite.models.sam2lite.reference.pruning import Pruning

_DEFAULT = Pruning()


def normalised_age(age_frames: Tensor) -> Tensor:
    """Return ages on a logarithmic scale, 0..1, of any shape."""
    return torch.log1p(age_frames.clamp(max=AGE_HORIZON_FRAMES)) / math.log(1 + AGE_HORIZON_FRAMES)


class Bank(NamedTuple):
    """Memory tokens of one object, a row each: the bank itself, or the new tokens of a frame."""

    key_nc: Tensor  # float32 [n, 256]
    value_nc: Tensor  # float32 [n, 256]
    age_n: Tensor  # int64 [n], frames since the token's frame
    ordinal_n: Tensor  # int64 [n], which of the object's stored frames
    motion_n: Tensor  # float32 [n], 0..1
    uncertainty_n: Tensor  # float32 [n], bits
    anchor_n: Tensor  # bool [n], from a prompted frame
    valid_n: Tensor  # bool [n]
    token_n: Tensor  # int64 [n], which token of its frame

    @classmethod
    def empty(cls, budget: int, device: torch.device) -> Bank:
        """Return a bank of `budget` invalid slots, all zero."""
        zero_nc = torch.zeros(budget, MEMORY_CHANNELS, device=device)
        zero_n, index_n = zero_nc[:, 0], zero_nc[:, 0].long()
        flag_n = zero_n > 0
        return cls(zero_nc, zero_nc, index_n, index_n, zero_n, zero_n, flag_n, flag_n, index_n)

    @classmethod
    def of_frame(
        cls,
        key_bnc: Tensor,
        value_bnc: Tensor,
        uncertainty_bn: Tensor,
        *,
        ordinal: int,
        motion: float,
        anchor: bool,
    ) -> Bank:
        """Return the memory encoder's tokens of one frame with their columns."""
        uncertainty_n = uncertainty_bn[0]
        index_n = torch.zeros_like(uncertainty_n, dtype=torch.int64)
        flag_n = torch.ones_like(uncertainty_n, dtype=torch.bool)
        return cls(
            key_bnc[0],
            value_bnc[0],
            age_n=index_n,
            ordinal_n=index_n + ordinal,
            motion_n=torch.full_like(uncertainty_n, motion),
            uncertainty_n=uncertainty_n,
            anchor_n=flag_n & anchor,
            valid_n=flag_n,
            token_n=index_n + torch.arange(len(index_n), device=index_n.device),
        )

    def normalised_age(self) -> Tensor:
        """Return the age on a logarithmic scale, 0..1. Shape: `[n]`."""
        return normalised_age(self.age_n.to(self.key_nc.dtype))

    def aged(self) -> Bank:
        """Return the bank one frame later."""
        return self._replace(age_n=self.age_n + 1)

    def seen(self, stored: int, window: int | None) -> Tensor:
        """Return which slots the decoder may read, all valid ones without a window.

        Shape: bool `[n]`.
        """
        if window is None:
            return self.valid_n
        return self.valid_n & (self.anchor_n | (self.ordinal_n >= stored - window))

    def without(self, slot_n: Tensor) -> Bank:
        """Return the bank with the slots where `slot_n` is true made invalid."""
        return self._replace(valid_n=self.valid_n & ~slot_n)

    def meta(self) -> Tensor:
        """Return `candidate_meta_bnc`. Shape: `[1, n, 5]`."""
        columns = (self.motion_n, self.uncertainty_n, self.anchor_n, self.valid_n)
        age_n = self.normalised_age()
        return torch.stack([age_n, *(column.to(age_n.dtype) for column in columns)], dim=-1)[None]

    def stored_with(
        self, new: Bank, stored: int, select: MemorySelect, pruning: Pruning = _DEFAULT
    ) -> Bank:
        """Return the bank after `store`, steps 2 to 7.

        Args:
            new: the tokens of the frame, with `stored` as ordinal.
            stored: frames of this object stored before.
            select: the network's own.
            pruning: what is kept.
        """
        bank, budget = self, pruning.budget or len(self.valid_n)
        if pruning.window is not None:
            bank = self.without(~self.anchor_n & (self.ordinal_n < stored + 1 - pruning.window))
        anchors = torch.unique(bank.ordinal_n[bank.anchor_n & bank.valid_n])  # ascending
        room = budget // TOKENS_PER_FRAME // 2
        if new.anchor_n.any() and len(anchors) >= room:
            bank = bank.without(bank.anchor_n & torch.isin(bank.ordinal_n, anchors[1:2]))

        candidates = Bank(*(torch.cat(pair) for pair in zip(bank, new, strict=True)))
        candidates = candidates._replace(valid_n=pruning.survivors(candidates, stored, budget))
        key_bnc, value_bnc, index_bn, _ = select(
            bank.key_nc[None],
            bank.value_nc[None],
            new.key_nc[None],
            new.value_nc[None],
            candidates.meta(),
        )
        kept = Bank(*(column[index_bn[0].long()] for column in candidates))
        within_n = torch.arange(len(self.valid_n), device=self.valid_n.device) < budget
        return kept._replace(
            key_nc=key_bnc[0], value_nc=value_bnc[0], valid_n=kept.valid_n & within_n
        )
