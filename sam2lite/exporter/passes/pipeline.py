"""Run the graph passes in order, checking after each that nothing visible changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import VerificationError
from sam2lite.exporter.parity import GRAPH_TOLERANCE, compare, run_onnx
from sam2lite.exporter.passes.constants import constants
from sam2lite.exporter.passes.contract import require_contract
from sam2lite.exporter.passes.names import names
from sam2lite.exporter.passes.rows import rows
from sam2lite.exporter.passes.shapes import shapes
from sam2lite.exporter.passes.simplify import simplify
from sam2lite.exporter.passes.static import static
from sam2lite.exporter.selection import Arrays

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


@dataclass(frozen=True)
class PassReport:
    """What one pass left behind.

    Attributes:
        name: key in `REGISTRY`.
        nodes: nodes in the graph after it.
        max_abs: largest difference of any output from that of the traced graph.
        relative: the same over the output's largest value; the worst output counts.
    """

    name: str
    nodes: int
    max_abs: float
    relative: float


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
        actual = run_onnx(model, feeds, optimise=False)
        errors = {output: compare(actual[output], expected[output]) for output in expected}
        worst = max(errors, key=lambda output: errors[output].relative)
        if not errors[worst].relative <= GRAPH_TOLERANCE:
            raise VerificationError(
                f"the pass '{name}' changed {worst} of {spec.name} by "
                f"{errors[worst].relative:.1e} of its largest value, more than "
                f"{GRAPH_TOLERANCE:.0e}; this is a defect of the pass or of onnxsim's version"
            )
        reports.append(
            PassReport(
                name,
                len(model.graph.node),
                max(error.max_abs for error in errors.values()),
                errors[worst].relative,
            )
        )
    return model, reports
