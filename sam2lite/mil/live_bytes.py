"""How much memory the tensors of a function take that are needed at the same time."""

from __future__ import annotations

import math

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.mil.dtypes import BITS
from sam2lite.mil.function import SimulatedFunction


def tensor_bytes(spec: TensorSpec) -> int:
    """Return the size of a tensor as declared."""
    return math.prod(int(size) for size in spec.shape) * BITS[spec.dtype] // 8


def peak_live_bytes(function: SimulatedFunction) -> int:
    """Return the most bytes of inputs and results that are alive at once, weights apart.

    Every operator's results are taken to be stored, in the order of the program. Core ML fuses,
    reuses and reorders as it likes, so this is an estimate to compare functions by, not a bound.
    """
    live = {spec.name: tensor_bytes(spec) for spec in function.program.inputs}
    peak = sum(live.values())
    for step in function.program.steps:
        live |= {spec.name: tensor_bytes(spec) for spec in step.outputs}
        peak = max(peak, sum(live.values()))
        for name in step.dead:
            del live[name]
    return peak
