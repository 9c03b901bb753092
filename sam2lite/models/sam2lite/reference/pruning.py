"""Pruning policies in the reference loop; the rules are those of docs/architecture.md.

`runtimes/rules/sam2lite/pruning.py` follows the same rules in NumPy, sorting where this ranks by
one integer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from sam2lite.contracts.families.sam2lite import PRUNING_POLICY, TOKENS_PER_FRAME
from sam2lite.contracts.loop import WINDOW_MAX
from sam2lite.errors import ArgumentError, UnknownNameError

LEARNED = "learned"


class Candidates(Protocol):
    """What decides which tokens stay: columns of `reference.bank.Bank`."""

    @property
    def valid_n(self) -> Tensor:
        """Whether there is a token, bool `[n]`."""

    @property
    def anchor_n(self) -> Tensor:
        """From a prompted frame, bool `[n]`."""

    @property
    def uncertainty_n(self) -> Tensor:
        """Bits, float32 `[n]`."""

    @property
    def ordinal_n(self) -> Tensor:
        """Which of the object's stored frames, int64 `[n]`."""

    @property
    def token_n(self) -> Tensor:
        """Which token of its frame, int64 `[n]`."""


def _fifo(bank: Candidates, recency_n: Tensor, stored: int) -> Tensor:
    return torch.zeros_like(recency_n)


def _anchor_fifo(bank: Candidates, recency_n: Tensor, stored: int) -> Tensor:
    return (~bank.anchor_n).long()


def _random(bank: Candidates, recency_n: Tensor, stored: int) -> Tensor:
    valid_n = bank.valid_n
    count = int(valid_n.sum())
    draws = torch.from_numpy(np.random.RandomState(stored).permutation(count))
    place_n = torch.argsort(torch.argsort(recency_n[valid_n]))  # 0 for the newest valid token
    cost_n = (~bank.anchor_n).long() * count
    cost_n[valid_n] += draws.to(cost_n.device)[place_n]
    return cost_n


def _uncertainty(bank: Candidates, recency_n: Tensor, stored: int) -> Tensor:
    thousandths_n = torch.round(bank.uncertainty_n * 1000).long()
    return (~bank.anchor_n).long() * 10_000 + thousandths_n


POLICIES: dict[str, Callable[[Candidates, Tensor, int], Tensor] | None] = {
    LEARNED: None,
    "fifo": _fifo,
    "anchor-fifo": _anchor_fifo,
    "random": _random,
    "uncertainty": _uncertainty,
}


class Pruning(NamedTuple):
    """What a bank keeps: by which policy, how many tokens, of how many stored frames."""

    policy: str = PRUNING_POLICY
    budget: int | None = None  # tokens; the bank's own size if not given
    window: int | None = WINDOW_MAX  # None for no limit

    @classmethod
    def checked(cls, policy: str, budget: int | None, window: int | None, slots: int) -> Pruning:
        """Return the settings for a bank of `slots` tokens.

        Raises:
            UnknownNameError: there is no such policy.
            ArgumentError: the budget is less than a frame's tokens or more than the slots.
        """
        if policy not in POLICIES:
            raise UnknownNameError("pruning policy", policy, POLICIES)
        if budget is not None and not TOKENS_PER_FRAME <= budget <= slots:
            raise ArgumentError(
                f"the memory budget is {budget} tokens; choose {TOKENS_PER_FRAME} to {slots}"
            )
        return cls(policy, budget, window)

    def survivors(self, candidates: Candidates, stored: int, budget: int) -> Tensor:
        """Return which candidates the policy keeps. Shape: bool `[n]`.

        Args:
            candidates: the bank and the new tokens.
            stored: frames stored before this one.
            budget: tokens that may stay.
        """
        policy, valid_n = POLICIES[self.policy], candidates.valid_n
        if policy is None:
            return valid_n
        recency_n = (stored - candidates.ordinal_n) * TOKENS_PER_FRAME + candidates.token_n
        # Unique among valid tokens: the policy's cost first, then the newest frame's tokens.
        rank_n = policy(candidates, recency_n, stored) * 2**40 + recency_n
        rank_n = torch.where(valid_n, rank_n, torch.iinfo(torch.int64).max)
        kept_n = torch.zeros_like(valid_n)
        kept_n[torch.argsort(rank_n)[:budget]] = True
        return kept_n & valid_n
