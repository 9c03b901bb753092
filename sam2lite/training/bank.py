"""The memory banks of many objects at once, with a gate that lets gradients through selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sam2lite.contracts.families.sam2lite import ANCHOR_BONUS, INVALID_PENALTY, MEMORY_CHANNELS
from sam2lite.contracts.loop import MASKED_BIAS
from sam2lite.models.sam2lite.memory_select import MemorySelect
from sam2lite.models.sam2lite.reference.bank import normalised_age


@dataclass(frozen=True)
class Gate:
    """Gumbel top-B selection (Kool et al. 2019) with a straight-through estimator.

    Attributes:
        budget: tokens that are kept.
        temperature: of the relaxed gate, 1 at first, 0.1 at last.
    """

    budget: int
    temperature: float


class Banks(NamedTuple):
    """Tokens of N objects, M each. Every change makes a new value."""

    key_nmc: Tensor  # float [N, M, 256]
    value_nmc: Tensor  # float [N, M, 256]
    age_nm: Tensor  # float [N, M], frames
    ordinal_nm: Tensor  # int64 [N, M], which of the object's stored frames
    motion_nm: Tensor  # float [N, M], 0..1
    uncertainty_nm: Tensor  # float [N, M], bits
    anchor_nm: Tensor  # bool [N, M]
    valid_nm: Tensor  # bool [N, M]
    gate_nm: Tensor  # float [N, M], zero, with the gradient of the selection

    @classmethod
    def empty(cls, objects: int, device: torch.device) -> Banks:
        """Return banks without a slot."""
        zero_nmc = torch.zeros(objects, 0, MEMORY_CHANNELS, device=device)
        zero_nm = zero_nmc[..., 0]
        flag_nm = zero_nm > 0
        return cls(
            zero_nmc, zero_nmc, zero_nm, zero_nm.long(), zero_nm, zero_nm, flag_nm, flag_nm, zero_nm
        )

    def aged(self) -> Banks:
        """Return the banks one frame later."""
        return self._replace(age_nm=self.age_nm + 1)

    def normalised_age(self) -> Tensor:
        """Return the age on a logarithmic scale, 0..1. Shape: `[N, M]`."""
        return normalised_age(self.age_nm)

    def bias(self, stored_n: Tensor, window: int) -> Tensor:
        """Return `memory_bias_b11n` of what the decoder may read. Shape: `[N, 1, 1, M]`."""
        recent_nm = self.anchor_nm | (self.ordinal_nm >= stored_n[:, None] - window)
        bias_nm = torch.where(self.valid_nm & recent_nm, self.gate_nm, MASKED_BIAS)
        return bias_nm[:, None, None]

    def joined(self, new: Banks) -> Banks:
        """Return the banks with new tokens after the old ones."""
        return Banks(*(torch.cat(pair, dim=1) for pair in zip(self, new, strict=True)))

    def selected(self, select: MemorySelect, gate: Gate) -> tuple[Banks, Tensor]:
        """Keep the best tokens of each object, as `memory_select` does, with noise.

        Returns:
            The banks, and the importance of every valid candidate, 0..1, flat.
        """
        meta_nmc = torch.stack([self.normalised_age(), self.motion_nm, self.uncertainty_nm], dim=-1)
        logit_nm = select.importance_logits(self.key_nmc, self.value_nmc, meta_nmc).float()
        importance = torch.sigmoid(logit_nm)[self.valid_nm]
        if self.key_nmc.shape[1] <= gate.budget:
            return self, importance
        uniform_nm = torch.rand_like(logit_nm).clamp(1e-6, 1.0 - 1e-6)
        noisy_nm = logit_nm - torch.log(-torch.log(uniform_nm))
        order_nm = (
            noisy_nm + ANCHOR_BONUS * self.anchor_nm + INVALID_PENALTY * (~self.valid_nm)
        ).detach()
        index_nb = torch.topk(order_nm, gate.budget, dim=1).indices
        # A token at the threshold is kept or not by a hair: there the gate's slope is largest.
        threshold_n1 = torch.where(self.anchor_nm, -torch.inf, noisy_nm).detach()
        threshold_n1 = torch.topk(threshold_n1, gate.budget, dim=1).values[:, -1:]
        threshold_n1 = torch.nan_to_num(threshold_n1, neginf=0.0)
        soft_nm = torch.nn.functional.logsigmoid((noisy_nm - threshold_n1) / gate.temperature)
        slope_nm = torch.where(self.anchor_nm, 0.0, soft_nm - soft_nm.detach())
        gated = self._replace(gate_nm=self.gate_nm + slope_nm)
        index_nbc = index_nb[..., None].expand(-1, -1, MEMORY_CHANNELS)
        kept = [
            torch.gather(column, 1, index_nbc if column.ndim == 3 else index_nb) for column in gated
        ]
        return Banks(*kept), importance
