"""What the values of a graph would meet in FP16: its largest number, and its smallest ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.value_types import value_types
from sam2lite.exporter.verify.parity import onnx_runner
from sam2lite.exporter.verify.selection import Arrays

if TYPE_CHECKING:
    import onnx

LARGEST = float(np.finfo(np.float16).max)  # 65504
SMALLEST_NORMAL = float(np.finfo(np.float16).smallest_normal)  # 6.1e-5; below, bits are lost
# Other footage may reach further than what was recorded, and the partial sums of a product may
# be larger than the sum.
MARGIN = 4.0
MOST_NAMED = 10


@dataclass(frozen=True)
class ValueRange:
    """How large and how small the numbers of one value of a graph get.

    Attributes:
        greatest: magnitude; infinite if a number is not finite.
        subnormal_share: share of the numbers other than 0 that are below `SMALLEST_NORMAL`.
    """

    greatest: float
    subnormal_share: float

    @property
    def overflows(self) -> bool:
        """Whether FP16 may be too small for it: within `MARGIN` of `LARGEST`, or beyond."""
        return self.greatest * MARGIN > LARGEST


@dataclass(frozen=True)
class RangeReport:
    """The range of every floating-point value of a graph, by name: inputs, constants, results."""

    values: Mapping[str, ValueRange]

    @property
    def overflowing(self) -> dict[str, ValueRange]:
        """The values that FP16 may be too small for."""
        return {name: value for name, value in self.values.items() if value.overflows}

    def to_json(self) -> dict[str, Any]:
        """Return the `MOST_NAMED` values with the largest numbers, and those with most subnormals.

        JSON has no infinity, so what is not finite is None.
        """
        large = sorted(self.values.items(), key=lambda item: -item[1].greatest)[:MOST_NAMED]
        small = sorted(self.values.items(), key=lambda item: -item[1].subnormal_share)
        return {
            "largest": {
                name: float(f"{value.greatest:.4g}") if math.isfinite(value.greatest) else None
                for name, value in large
            },
            "subnormal_share": {
                name: round(value.subnormal_share, 4)
                for name, value in small[:MOST_NAMED]
                if value.subnormal_share
            },
        }


def measure_ranges(model: onnx.ModelProto, calls: Iterable[Arrays]) -> RangeReport:
    """Run a graph in FP32 and look at every value on the way.

    Args:
        model: the graph in FP32, with its weights inside; stays as it is.
        calls: inputs by name, of each call.

    Raises:
        ExportError: onnxruntime refuses the graph or the inputs.
    """
    from onnx import TensorProto, helper, numpy_helper

    floats = [n for n, kind in value_types(model).items() if kind == TensorProto.FLOAT]
    exposed = type(model)()
    exposed.CopyFrom(model)
    results = {name for node in model.graph.node for name in node.output}
    shown = {value.name for value in model.graph.output}
    exposed.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in floats
        if name in results - shown
    )
    tally = _Tally(floats)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tally.add(tensor.name, numpy_helper.to_array(tensor))
    # Unoptimised, because fusions would be undone by the extra outputs, or not undone in part.
    run = onnx_runner(exposed, optimise=False)
    for feeds in calls:
        for name, array in {**feeds, **run(feeds)}.items():
            if array.dtype == np.float32:
                tally.add(name, array)
    return tally.report()


class _Tally:
    """Adds up arrays by name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._greatest = dict.fromkeys(names, 0.0)
        self._nonzero = dict.fromkeys(self._greatest, 0)
        self._subnormal = dict.fromkeys(self._greatest, 0)

    def add(self, name: str, array: np.ndarray) -> None:
        magnitude = np.abs(array)
        greatest = float(magnitude.max(initial=0.0))
        greatest = greatest if math.isfinite(greatest) else math.inf  # a NaN, too
        self._greatest[name] = max(self._greatest[name], greatest)
        self._nonzero[name] += int(np.count_nonzero(magnitude))
        small = (magnitude < SMALLEST_NORMAL) & (magnitude > 0.0)
        self._subnormal[name] += int(np.count_nonzero(small))

    def report(self) -> RangeReport:
        return RangeReport(
            {
                name: ValueRange(greatest, self._subnormal[name] / max(1, self._nonzero[name]))
                for name, greatest in self._greatest.items()
            }
        )
