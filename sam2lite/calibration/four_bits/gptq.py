"""GPTQ: weights rounded one column after the other, each error made up for by the columns to come.

After Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ: Accurate Post-Training Quantization for
Generative Pre-trained Transformers" (2023), with the scales of all groups fixed beforehand, so that
columns can be taken in the order of how much their inputs vary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam2lite.calibration.four_bits.grid import LEVELS, Floats, Packed, Steps, rounded

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class GptqSettings:
    """How errors are spread.

    Attributes:
        damping: share of the mean variance that is added to each input's, so that few rows of
            calibration do no harm.
        block: columns whose errors are brought to the rest together.
        by_variance: whether the inputs that vary most come first.
    """

    damping: float = 0.01
    block: int = 128
    by_variance: bool = True


def output_power(weight_oi: Floats, moments_ii: Floats) -> float:
    """Return the mean power of a layer's output, summed over outputs.

    Args:
        weight_oi: float32 `[out, in]`.
        moments_ii: mean of `x x^T` over the layer's inputs.
    """
    weight = weight_oi.astype(np.float64)
    return float(((weight @ moments_ii.astype(np.float64)) * weight).sum())


def output_error(weight_oi: Floats, other_oi: Floats, hessian_ii: Floats) -> float:
    """Return the error of a layer's output with another weight, as a share of the output's power.

    Args:
        weight_oi: float32 `[out, in]`.
        other_oi: the same with errors.
        hessian_ii: mean of `x x^T` over the layer's inputs.
    """
    whole = output_power(weight_oi, hessian_ii)
    if whole <= 0.0:
        return 0.0
    return output_power(other_oi - weight_oi, hessian_ii) / whole


def gptq(
    weight_oi: Floats, hessian_ii: Floats, steps: Steps, settings: GptqSettings | None = None
) -> Packed:
    """Put a weight on a grid with the least error of the layer's output.

    Where that comes out no better than rounding, as it may with outliers, the weight is rounded.

    Args:
        weight_oi: float32 `[out, in]`.
        hessian_ii: float32 `[in, in]`, mean of `x x^T` over the layer's inputs.
        steps: of the weight.
        settings: how errors are spread.
    """
    plain = rounded(weight_oi, steps)
    spread = _spread(weight_oi, hessian_ii, steps, settings or GptqSettings())
    if spread is None:
        return plain
    errors = [output_error(weight_oi, each.weight(), hessian_ii) for each in (spread, plain)]
    return spread if errors[0] < errors[1] else plain


def _spread(
    weight_oi: Floats, hessian_ii: Floats, steps: Steps, settings: GptqSettings
) -> Packed | None:
    """Return the weight with its errors spread; None where the inputs say nothing."""
    hessian = hessian_ii.astype(np.float64)
    variance = np.diag(hessian).copy()
    if not np.isfinite(hessian).all() or variance.max() <= 0.0:
        return None
    count = len(variance)
    order = np.argsort(-variance, kind="stable") if settings.by_variance else np.arange(count)
    hessian = hessian[np.ix_(order, order)]
    hessian[np.arange(count), np.arange(count)] += settings.damping * variance.mean()
    inverse = np.linalg.inv(hessian)
    # Row k holds what an error in column k asks of the columns after it.
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    left = weight_oi.astype(np.float64)[:, order]
    codes = np.empty(left.shape, np.uint8)
    scale, zero = steps.of_columns(order)
    for begin in range(0, count, settings.block):
        end = min(begin + settings.block, count)
        errors = np.empty((left.shape[0], end - begin))
        for column in range(begin, end):
            found = np.rint(left[:, column] / scale[:, column]) + zero[:, column]
            code = np.clip(found, 0, LEVELS - 1)
            codes[:, column] = code
            stands_for = (code - zero[:, column]) * scale[:, column]
            error = (left[:, column] - stands_for) / upper[column, column]
            left[:, column:end] -= np.outer(error, upper[column, column:end])
            errors[:, column - begin] = error
        left[:, end:] -= errors @ upper[begin:end, end:]
    restored = np.empty_like(codes)
    restored[:, order] = codes
    return Packed(steps, restored)
