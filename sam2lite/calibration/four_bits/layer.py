"""A linear layer in four bits: its weight on the grid, and what goes with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sam2lite.calibration.four_bits.gptq import GptqSettings, gptq, output_power
from sam2lite.calibration.four_bits.grid import (
    Floats,
    Grid,
    Packed,
    SpanSearch,
    rounded,
    searched_steps,
)
from sam2lite.calibration.four_bits.inputs import LayerInputs
from sam2lite.calibration.four_bits.low_rank import Branch, LowRankSettings, pays, with_branch
from sam2lite.calibration.four_bits.smoothing import SmoothSettings


@dataclass(frozen=True)
class FourBitSettings:
    """How linear layers are put into four bits.

    Attributes:
        grid: how weights share a scale.
        search: how the span of each group is found.
        gptq: how errors are spread; None rounds.
        low_rank: of the branch beside the grid; None for none.
        smooth: how inputs are made easier to round first; None leaves them.
        correct_bias: whether biases make up for what outputs are off on average.
    """

    grid: Grid = field(default_factory=Grid)
    search: SpanSearch = field(default_factory=SpanSearch)
    gptq: GptqSettings | None = field(default_factory=GptqSettings)
    low_rank: LowRankSettings | None = None
    smooth: SmoothSettings | None = None
    correct_bias: bool = True


@dataclass(frozen=True)
class FourBitLayer:
    """A layer as it is stored.

    Attributes:
        packed: its weight on the grid.
        branch: beside it, if any.
        bias_o: what is added to its bias, float32 `[out]`; None for nothing.
        error: of its output, as a share of the output's power.
        fell_back: whether spreading errors was no better than rounding, so that it was rounded.
    """

    packed: Packed
    branch: Branch | None
    bias_o: Floats | None
    error: float
    fell_back: bool

    def weight(self) -> Floats:
        """Return what the layer multiplies with, float32 `[out, in]`."""
        found = self.packed.weight()
        return found if self.branch is None else found + self.branch.weight()


def four_bit_layer(
    weight_oi: Floats, inputs: LayerInputs, settings: FourBitSettings
) -> FourBitLayer:
    """Put a layer's weight into four bits.

    Args:
        weight_oi: float32 `[out, in]`.
        inputs: of the layer, as the weight meets them.
        settings: how.
    """
    # Where the bias follows, what is off on average costs nothing.
    moments = inputs.centred() if settings.correct_bias else inputs.hessian_ii
    was_rounded: dict[int, bool] = {}

    def quantized(values_oi: Floats) -> Packed:
        steps = searched_steps(values_oi, settings.grid, settings.search)
        plain = rounded(values_oi, steps)
        if settings.gptq is None:
            return plain
        packed = gptq(values_oi, moments, steps, settings.gptq)
        was_rounded[id(packed)] = bool((packed.codes_oi == plain.codes_oi).all())
        return packed

    branch = None
    outputs, columns = weight_oi.shape
    low_rank = settings.low_rank
    if low_rank is not None and pays(outputs, columns, low_rank.rank, settings.grid.bits_saved):
        packed, branch = with_branch(weight_oi, moments, quantized, low_rank)
    else:
        packed = quantized(weight_oi)
    found = packed.weight() if branch is None else packed.weight() + branch.weight()
    off = found - weight_oi
    follows = settings.correct_bias and bool(inputs.mean_i.any())
    power = output_power(weight_oi, inputs.hessian_ii)
    return FourBitLayer(
        packed,
        branch,
        np.asarray(-(off @ inputs.mean_i), np.float32) if follows else None,
        output_power(off, moments) / power if power > 0.0 else 0.0,
        was_rounded.get(id(packed), False),
    )


def rounded_weight(weight_oi: Floats, settings: FourBitSettings) -> Floats:
    """Return what rounding alone makes of a weight, which is quick: float32 `[out, in]`."""
    steps = searched_steps(weight_oi, settings.grid, settings.search)
    return rounded(weight_oi, steps).weight()
