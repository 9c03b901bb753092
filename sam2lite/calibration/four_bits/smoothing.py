"""SmoothQuant: part of what makes inputs hard to round is moved into the weights.

After Xiao, Lin, Seznec, Wu, Demouth and Han, "SmoothQuant: Accurate and Efficient Post-Training
Quantization for Large Language Models" (2023). An input is divided by its scale and its column of
the weight multiplied by it, which changes nothing in float; what comes before the layer takes the
division over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sam2lite.calibration.four_bits.grid import Floats
from sam2lite.calibration.four_bits.inputs import LayerInputs

_LEAST = 1e-2  # of what a scale is made from, as a share of the largest: rarer inputs may come
_WORTH = 0.99  # of the error that is left; for less the inputs stay as they are

Rounding = Callable[[Floats], Floats]


@dataclass(frozen=True)
class SmoothSettings:
    """How scales are found.

    Attributes:
        alphas: how much of the inputs' spread moves into the weights, 0 to 1. Of several, each
            layer takes the one with the least error, or none where none is better; a single one is
            taken as it is.
    """

    alphas: tuple[float, ...] = tuple(round(0.1 * step, 1) for step in range(11))


@dataclass(frozen=True)
class Smoothing:
    """Scales of the inputs of layers that take the same.

    Attributes:
        alpha: that was chosen.
        scale_i: float32 `[in]`, above 0.
        error: of the layers' outputs, as a share of what it was without.
    """

    alpha: float
    scale_i: Floats
    error: float


def smoothing_scale(largest_i: Floats, weight_oi: Floats, alpha: float) -> Floats:
    """Return `max|x|^alpha / max|w|^(1 - alpha)` by input, with a geometric mean of 1.

    Args:
        largest_i: float32 `[in]`, of the inputs' magnitudes.
        weight_oi: float32 `[out, in]`, of all layers that take the inputs, one below the other.
        alpha: 0 to 1.
    """
    inputs = _floored(largest_i.astype(np.float64))
    weights = _floored(np.abs(weight_oi).max(axis=0).astype(np.float64))
    logs = alpha * np.log(inputs) - (1.0 - alpha) * np.log(weights)
    return np.asarray(np.exp(logs - logs.mean()), np.float32)


def smoothed(
    weight_oi: Floats,
    inputs: LayerInputs,
    settings: SmoothSettings,
    rounded_weight: Rounding,
    rounded_rows: Rounding,
) -> Smoothing | None:
    """Choose the scales of layers that take the same inputs; None where they stay as they are.

    Args:
        weight_oi: float32 `[out, in]`, of all the layers, one below the other.
        inputs: of the layers.
        settings: which alphas are tried.
        rounded_weight: gives a weight as it is computed with.
        rounded_rows: gives rows of inputs as they are computed with.
    """
    rows = inputs.sample_ni
    if inputs.are_nothing or not len(rows):
        return None
    expected = rows @ weight_oi.T

    def lost(scale_i: Floats) -> float:
        found = rounded_rows(rows / scale_i) @ rounded_weight(weight_oi * scale_i).T
        return float(np.square(found - expected, dtype=np.float64).sum())

    plain = lost(np.ones_like(inputs.largest_i))
    if plain <= 0.0:
        return None
    tried = []
    for alpha in settings.alphas:
        scale = smoothing_scale(inputs.largest_i, weight_oi, alpha)
        tried.append(Smoothing(alpha, scale, lost(scale) / plain))
    best = min(tried, key=lambda found: found.error)
    return best if len(tried) == 1 or best.error < _WORTH else None


def _floored(values: np.ndarray) -> np.ndarray:
    largest = values.max()
    found: np.ndarray = np.maximum(values, _LEAST * largest if largest > 0 else 1.0)
    return found
