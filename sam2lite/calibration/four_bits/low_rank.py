"""A low-rank branch: two small matrices in 16 bits that make up for what four bits lose.

After Li, Lin, Zhang and others, "SVDQuant: Absorbing Outliers by Low-Rank Components for 4-Bit
Diffusion Models" (2024): a weight is a part on the grid and a part of low rank, found in turn. Here
the branch is the best of its rank for the layer's outputs, not for its weight: the error is
weighted by a square root of the inputs' second moments before it is decomposed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam2lite.calibration.four_bits.gptq import output_error
from sam2lite.calibration.four_bits.grid import Floats, Packed

_DAMPING = 1e-4  # share of the mean moment that is added, so that the root can be inverted
_BITS = 16  # of a value of the branch

Quantizer = Callable[[Floats], Packed]


@dataclass(frozen=True)
class LowRankSettings:
    """How a branch is found.

    Attributes:
        rank: of the branch.
        from_weight: whether a branch that takes the largest part of the weight off the grid is
            tried beside the one that makes up for what the grid lost; the better one is kept.
        rounds: how often grid and branch are then found anew, at most.
        by_outputs: whether errors are weighted by the inputs' moments; else those of the weight
            count.
    """

    rank: int = 32
    from_weight: bool = True
    rounds: int = 3
    by_outputs: bool = True


@dataclass(frozen=True)
class Branch:
    """What is added to a layer's output.

    Attributes:
        down_ri: float32 `[rank, in]`; values that FP16 holds.
        up_or: float32 `[out, rank]`; likewise.
    """

    down_ri: Floats
    up_or: Floats

    def weight(self) -> Floats:
        """Return the product, float32 `[out, in]`."""
        found: Floats = self.up_or @ self.down_ri
        return found


def pays(outputs: int, inputs: int, rank: int, bits_saved: float) -> bool:
    """Return whether a layer with a branch is smaller than one in 16 bits.

    Args:
        outputs: of the layer.
        inputs: of the layer.
        rank: of the branch.
        bits_saved: by a weight on the grid.
    """
    return rank * (outputs + inputs) * _BITS < outputs * inputs * bits_saved


def with_branch(
    weight_oi: Floats, hessian_ii: Floats, quantized: Quantizer, settings: LowRankSettings
) -> tuple[Packed, Branch | None]:
    """Put a weight on the grid with a branch beside it.

    Args:
        weight_oi: float32 `[out, in]`.
        hessian_ii: float32 `[in, in]`, mean of `x x^T` over the layer's inputs.
        quantized: puts a weight on the grid.
        settings: of the branch.

    Returns:
        the weight's part on the grid, and the branch; None where it makes nothing better.
    """
    root = _root(hessian_ii) if settings.by_outputs else None
    packed = quantized(weight_oi)
    best: tuple[Packed, Branch | None] = packed, None
    least = output_error(weight_oi, packed.weight(), hessian_ii)
    branch: Branch | None = None
    for turn in range(1 + (settings.rounds if settings.from_weight else 0)):
        if turn:
            before = _branch(weight_oi, root, settings.rank) if branch is None else branch
            packed = quantized(weight_oi - before.weight())
        found = _branch(weight_oi - packed.weight(), root, settings.rank)
        branch = found if turn else None
        error = output_error(weight_oi, packed.weight() + found.weight(), hessian_ii)
        if error < least:
            best, least = (packed, found), error
        elif turn > 1:
            break
    return best


def _branch(lost_oi: Floats, root: tuple[NDArray[np.float64], ...] | None, rank: int) -> Branch:
    values = lost_oi.astype(np.float64)
    weighted = values if root is None else values @ root[0]
    left, strength, right = np.linalg.svd(weighted, full_matrices=False)
    share = np.sqrt(strength[:rank])
    up, down = left[:, :rank] * share, share[:, None] * right[:rank]
    if root is not None:
        down = down @ root[1]
    # Both halves are as large, so that neither leaves what FP16 holds.
    balance = np.sqrt(
        np.maximum(np.abs(up).max(axis=0), 1e-30) / np.maximum(np.abs(down).max(axis=1), 1e-30)
    )
    return Branch(_held(down * balance[:, None]), _held(up / balance))


def _root(hessian_ii: Floats) -> tuple[NDArray[np.float64], ...] | None:
    """Return a square root of the moments, and its inverse; None where they say nothing."""
    moments = hessian_ii.astype(np.float64)
    if not np.isfinite(moments).all() or np.diag(moments).max() <= 0.0:
        return None
    strength, directions = np.linalg.eigh((moments + moments.T) / 2)
    strength = np.sqrt(np.maximum(strength, 0.0) + _DAMPING * np.diag(moments).mean())
    return directions * strength, (directions / strength).T


def _held(values: NDArray[np.float64]) -> Floats:
    return values.astype(np.float16).astype(np.float32)
