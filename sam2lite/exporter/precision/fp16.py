"""FP16 graphs, for backends that compute in it: weights and arithmetic, but for what must not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.value_types import value_types
from sam2lite.exporter.precision.fp16_convert import QDQ, to_fp16, with_rounding
from sam2lite.exporter.precision.fp16_ranges import MARGIN, RangeReport, measure_ranges
from sam2lite.exporter.precision.fp16_rules import kept_by_rule
from sam2lite.exporter.precision.scheme import Rendered
from sam2lite.exporter.verify.parity import compare_calls, onnx_runner
from sam2lite.exporter.verify.recorded_calls import recorded_calls
from sam2lite.exporter.verify.selection import Arrays

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.ranges import Provenance
    from sam2lite.calibration.recorder import Recording
    from sam2lite.contracts.tensors import GraphSpec

MOST_CALLS = 16  # that a graph is run on, spread over those recorded at its rung
LEAST_SQNR_DB = 40.0  # of every output over all calls; 11 bits of mantissa alone give some 66 dB
OVERFLOW = "overflow"


# Nodes with the reason why they compute in FP32, by the key of their graph.
Pins = Mapping[str, Mapping[str, str]]

Form = Callable[["onnx.ModelProto", "onnx.ModelProto"], "onnx.ModelProto"]
# What is written, given a graph in FP32 and in FP16.
FORMS: dict[str, Form] = {
    "typed": lambda _, half: half,  # types say what computes in FP16
    "plan": lambda full, _: full,  # a flag of the builder does, and the plan what must not
    "rounded": lambda _, half: with_rounding(half),  # what both compute, for a CPU
}


class Fp16:
    """A scheme for FP16 that computes in it.

    Inputs and outputs stay as the contract says. A graph that ranks stays in FP32.
    """

    def __init__(
        self,
        recording: Recording,
        provenance: Provenance,
        form: str = "typed",
        least_sqnr_db: float = LEAST_SQNR_DB,
        also_pinned: Pins | None = None,
    ) -> None:
        """Take a recording over.

        Args:
            recording: of the network at the rungs of the bundle.
            provenance: of the recording, for the manifest.
            form: what is written: one of `FORMS`.
            least_sqnr_db: of every output over all calls.
            also_pinned: what computes in FP32 although no rule and no range asks for it.
        """
        self._also_pinned = also_pinned or {}
        self._recording, self._provenance = recording, provenance
        self._form, self._least_sqnr_db = FORMS[form], least_sqnr_db

    @property
    def calibration(self) -> dict[str, Any]:
        """See `PrecisionScheme`."""
        return {**dataclasses.asdict(self._provenance), "fp16_margin": MARGIN}

    def render(self, model: onnx.ModelProto, spec: GraphSpec, rung: int) -> Rendered:
        """See `PrecisionScheme`.

        The report has the pinned nodes with the reason, the range report and every output's SQNR.

        Raises:
            CalibrationError: nothing was recorded at its rung.
            ExportError: a type cannot be told, or onnxruntime refuses a graph.
            VerificationError: an output is further from the graph in FP32 than is allowed.
        """
        if spec.ranks:
            return Rendered(model, "fp32")
        key = spec.key(rung)
        calls = recorded_calls(self._recording, spec, rung, MOST_CALLS)
        ranges = measure_ranges(model, calls)
        pinned = {**self._also_pinned.get(key, {}), **pinned_nodes(model, spec, ranges)}
        rendered = to_fp16(model, pinned)
        report = {
            "sqnr_db": self._checked_sqnr(model, rendered, calls, key),
            "pinned": pinned,
            "ranges": ranges.to_json(),
        }
        return Rendered(self._form(model, rendered), "fp16", report)

    def _checked_sqnr(
        self, model: onnx.ModelProto, rendered: onnx.ModelProto, calls: Sequence[Arrays], key: str
    ) -> dict[str, float | None]:
        """Return the SQNR of every output over all calls, dB; None where nothing differs."""
        run, rounded = onnx_runner(model), onnx_runner(with_rounding(rendered))
        expected, actual = [run(feeds) for feeds in calls], [rounded(feeds) for feeds in calls]
        ratios: dict[str, float | None] = {}
        for name, error in compare_calls(actual, expected).items():
            if error.sqnr_db < self._least_sqnr_db:
                raise VerificationError(
                    f"in FP16, {name} of {key} is at {error.sqnr_db:.1f} dB of FP32's; "
                    f"{self._least_sqnr_db:g} dB are asked for: export without --fp16, or "
                    "calibrate on footage like what the network will see"
                )
            found = error.to_json()["sqnr_db"]
            ratios[name] = found if found is None else round(found, 2)
        return ratios


def pinned_nodes(model: onnx.ModelProto, spec: GraphSpec, ranges: RangeReport) -> dict[str, str]:
    """Return the nodes that compute in FP32, with the reason: a rule, or what overflows.

    Args:
        model: the graph in FP32.
        spec: its spec.
        ranges: of its values.
    """
    from onnx import TensorProto

    floats = {name for name, kind in value_types(model).items() if kind == TensorProto.FLOAT}
    rules, overflowing = kept_by_rule(model, spec), ranges.overflowing
    pinned = {}
    for node in model.graph.node:
        touched = [name for name in (*node.input, *node.output) if name in floats]
        largest = max(
            (name for name in touched if name in overflowing),
            key=lambda name: overflowing[name].greatest,
            default=None,
        )
        if node.op_type in QDQ:
            continue  # their types are those of their scales
        if touched and node.name in rules:
            pinned[node.name] = rules[node.name]
        elif largest is not None:
            greatest = overflowing[largest].greatest
            pinned[node.name] = f"{OVERFLOW}: {largest} reaches {greatest:.3g}"
    return pinned
