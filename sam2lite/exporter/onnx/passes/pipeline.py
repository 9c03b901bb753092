"""Run the graph passes in order, checking after each that nothing visible changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.exporter.onnx.passes.checked import PassReport, check_pass
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.contract import require_contract
from sam2lite.exporter.onnx.passes.names import names
from sam2lite.exporter.onnx.passes.rows import rows
from sam2lite.exporter.onnx.passes.shapes import shapes
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.onnx.passes.static import static
from sam2lite.exporter.verify.parity import run_onnx
from sam2lite.exporter.verify.selection import Arrays

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

# A pass may change its argument, and returns the model to go on with.
PASSES: tuple[Callable[[onnx.ModelProto], onnx.ModelProto], ...] = (
    constants,
    simplify,
    names,
    rows,
    shapes,
    static,
)
REGISTRY = {apply.__name__: apply for apply in PASSES}


def run_passes(
    traced: onnx.ModelProto, spec: GraphSpec, feeds: Arrays
) -> tuple[onnx.ModelProto, list[PassReport]]:
    """Return the graph after every pass, and what each of them did to the values.

    Values are those that onnxruntime computes from `feeds` with its own graph optimisations off,
    so that the nodes which stand there are the nodes which run. `traced` is left as it is.

    Raises:
        ExportError: a pass failed, or changed an input or output of the graph.
        VerificationError: a pass changed a value by more than `GRAPH_TOLERANCE`.
    """
    import onnx

    require_contract(traced, spec, after="the trace")
    expected = run_onnx(traced, feeds, optimise=False)
    model = onnx.ModelProto()
    model.CopyFrom(traced)
    reports = []
    for name, apply in REGISTRY.items():
        model = apply(model)
        require_contract(model, spec, after=f"the pass '{name}'")
        reports.append(check_pass(name, model, feeds, expected))
    return model, reports
