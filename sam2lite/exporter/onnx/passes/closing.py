"""Passes that run last, on a graph in the precision that it will have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sam2lite.exporter.onnx.computation import computation
from sam2lite.exporter.onnx.passes.checked import PassReport, check_pass
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.verify.parity import run_onnx

if TYPE_CHECKING:
    import onnx

    from sam2lite.contracts.tensors import GraphSpec


def close(
    model: onnx.ModelProto, spec: GraphSpec, steps: Sequence[GraphPass]
) -> tuple[onnx.ModelProto, list[PassReport]]:
    """Apply what a runtime alone wants of a graph, and check after each that the values are there.

    Layers are chosen and quantized by standard operators, and what other runtimes and the checks
    before it take is that graph; here operators may come that one runtime has.

    Args:
        model: the graph; it is changed, and of no use afterwards.
        spec: its bound spec.
        steps: the passes. One that finds nothing to change leaves no report.

    Raises:
        VerificationError: a pass changed a value by more than `checked.check_pass` allows.
    """
    reports: list[PassReport] = []
    feeds = feeds_of(spec, example_inputs(spec))
    for step in steps:
        before = type(model)()
        before.CopyFrom(model)
        model = step.apply(model)
        if computation(model) != computation(before):
            expected = run_onnx(before, feeds, optimise=False)
            reports.append(check_pass(step.name, model, feeds, expected))
    return model, reports
