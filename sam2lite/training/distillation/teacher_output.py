"""What a teacher says about a batch: all that its student is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sam2lite.training.distillation.reading import MemoryReading
from sam2lite.training.losses import LossWeights
from sam2lite.training.rollout import Rollout


class TeacherOutput(NamedTuple):
    """The teacher on T frames of N objects; what the loss leaves out is None.

    Shapes: `logits_tnhw` [T, N, R/4, R/4], its chosen masks; `shown_tn` bool [T, N], whether the
    frame loop would show them. Of the T - 1 frames with a memory to read: `share_tlnib`
    [T - 1, L, N, I, T] and `held_tnb` bool [T - 1, N, T], see `MemoryReading`; `readout_tlnic`
    [T - 1, L, N, I, C].
    """

    logits_tnhw: Tensor
    shown_tn: Tensor
    share_tlnib: Tensor | None = None
    held_tnb: Tensor | None = None
    readout_tlnic: Tensor | None = None

    def map(self, change: Callable[[Tensor], Tensor]) -> TeacherOutput:
        """Return it with every tensor changed."""
        return TeacherOutput(**{name: change(tensor) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """Return what was not left out, by name."""
        return {name: tensor for name, tensor in self._asdict().items() if tensor is not None}


def collect(output: Rollout, readings: list[MemoryReading], weights: LossWeights) -> TeacherOutput:
    """Keep what the loss needs.

    Args:
        output: of the teacher; one decoding a frame.
        readings: of its decodings with a memory to read.
        weights: of the loss.
    """
    bins = len(output.decoded)
    chosen, shown = [], []
    for decoded in output.decoded:
        chosen.append(decoded.chosen()[0])
        # The object is there on the frame where the user pointed at it.
        shown.append((decoded.score_n1[:, 0] > 0.0) | (decoded.frame == 0))
    attention, readout = weights.attention and readings, weights.readout and readings
    return TeacherOutput(
        torch.stack(chosen),
        torch.stack(shown),
        torch.stack([own.share_lnib(bins) for own in readings]) if attention else None,
        torch.stack([own.held_nb(bins) for own in readings]) if attention else None,
        torch.stack([own.readout_lnic() for own in readings]) if readout else None,
    )
