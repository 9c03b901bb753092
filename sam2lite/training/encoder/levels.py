"""How far a student's maps are from a teacher's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.errors import ArgumentError

STRIDES = (4, 8, 16)  # of the maps, px a cell

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "huber": F.huber_loss,
    "l1": F.l1_loss,
    "mse": F.mse_loss,
}

# Of the maps at strides 4, 8 and 16. Memory reads the coarsest, and masks are decoded from it;
# nanosam2 gives it an eighth.
WEIGHTS: dict[str, tuple[float, float, float]] = {
    "coarse-first": (0.125, 0.25, 1.0),
    "nanosam2": (1.0, 0.25, 0.125),
}


def level_weights(text: str) -> tuple[float, ...]:
    """Read weights of the levels: the name of a preset, or three numbers, finest first.

    Raises:
        ArgumentError: it is neither.
    """
    if text in WEIGHTS:
        return WEIGHTS[text]
    try:
        weights = tuple(float(part) for part in text.split(","))
    except ValueError:
        weights = ()
    sound = len(weights) == len(STRIDES) and all(0 <= weight < 1e6 for weight in weights)
    if not sound or not any(weights):
        raise ArgumentError(
            f"the weights are {text!r}; give {', '.join(WEIGHTS)}, or three numbers for strides 4, "
            "8 and 16, such as 0.125,0.25,1"
        )
    return weights


def feature_loss(
    student: Sequence[Tensor], teacher: Sequence[Tensor], loss: str, weights: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Return the weighted sum, 0-d, and the loss of each level `[3]`, not weighted.

    Args:
        student: maps, finest first.
        teacher: maps of the same shapes.
        loss: one of `LOSSES`.
        weights: of the levels.
    """
    measure = LOSSES[loss]
    levels = torch.stack(
        [
            measure(ours.float(), theirs.float())
            for ours, theirs in zip(student, teacher, strict=True)
        ]
    )
    return (levels * levels.new_tensor(list(weights))).sum(), levels.detach()
