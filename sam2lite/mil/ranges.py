"""What range every tensor of a function takes over some calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from torch import Tensor

from sam2lite.contracts.tensors import TensorSpec
from sam2lite.mil.dtypes import Precision
from sam2lite.mil.function import SimulatedFunction


class Span(NamedTuple):
    """Smallest and largest value that was seen; NaN if one was."""

    low: float
    high: float


def activation_ranges(
    function: SimulatedFunction,
    calls: Iterable[Mapping[str, np.ndarray]],
    precision: Precision = "fp32",
) -> dict[str, Span]:
    """Evaluate a function on some calls and return the range of every float tensor, by name.

    Args:
        function: of a package that was loaded.
        calls: the inputs of each, as `SimulatedFunction.run` takes them.
        precision: `fp32` shows what FP16 would have to hold, infinities not yet made.

    Raises:
        SessionError: inputs do not fit, or an operator cannot be simulated.
    """
    spans: dict[str, Span] = {}

    def see(spec: TensorSpec, tensor: Tensor) -> None:
        if tensor.is_floating_point() and tensor.numel():
            low, high = (float(end) for end in tensor.aminmax())
            seen = spans.get(spec.name, Span(low, high))
            # NumPy's, unlike Python's, keep a NaN.
            spans[spec.name] = Span(
                float(np.minimum(low, seen.low)), float(np.maximum(high, seen.high))
            )

    for inputs in calls:
        function.run(inputs, precision, see)
    return spans
