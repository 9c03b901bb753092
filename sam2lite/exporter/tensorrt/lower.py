"""Rewrite any ONNX model of static shapes for an old parser of TensorRT."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass, without
from sam2lite.exporter.onnx.passes.runner import AppliedPass, PassRunner
from sam2lite.exporter.onnx.passes.shapes import shapes
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.onnx.random_feeds import random_feeds
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import inputs_of
from sam2lite.exporter.tensorrt.passes.opset_down import opset_down
from sam2lite.exporter.tensorrt.passes.table import passes_of
from sam2lite.exporter.tensorrt.preflight import Finding, preflight
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE
from sam2lite.exporter.verify.selection import Arrays
from sam2lite.targets.tensorrt_ops import BORDER_TYPES, Version, newest_opset, read_version

if TYPE_CHECKING:
    import onnx

# Of outputs of a graph with FP16 in it: some roundings of 5e-4 each.
HALF_TOLERANCE = 5e-3
OPSET_DOWN = opset_down.__name__
OTHER_OPERATOR = "do without that form, or export with an opset that the parser knows"


@dataclass(frozen=True)
class LoweredModel:
    """A model after lowering.

    Attributes:
        model: with the names and shapes of inputs and outputs that it had.
        passes: those that changed something, in order.
        findings: why the parser would still not take it; empty if it would.
    """

    model: onnx.ModelProto
    passes: list[AppliedPass]
    findings: list[Finding]


def lower(
    model: onnx.ModelProto,
    tensorrt: str,
    feeds: Arrays | None = None,
    *,
    skip: Collection[str] = (),
    report: Callable[[str], None] = lambda _: None,
) -> LoweredModel:
    """Rewrite what a version of TensorRT would not take, and check the values after every pass.

    A graph that no pass can help, for its inputs have no fixed shape or an operator is not ONNX's,
    is left as it is: `findings` then name these reasons alone.

    Args:
        model: with its weights inside; it stays as it is.
        tensorrt: the version, as in `8.2.1`.
        feeds: inputs to compare with, by name; those of `random_feeds` if not given.
        skip: names of passes that do not run.
        report: told the name of each pass when it is done.

    Raises:
        ArgumentError: the version is not one, or older than 8.2.
        ExportError: onnxruntime cannot run the model, or a pass broke it.
        UnknownNameError: there is no pass of a name in `skip`.
        VerificationError: a pass changed a value by more than rounding.
    """
    import onnx

    version = read_version(tensorrt)
    steps = without(_steps(version), skip)
    hopeless = _hopeless(model, preflight(model, tensorrt))
    if hopeless:
        return LoweredModel(model, [], hopeless)
    runner = PassRunner(
        onnx.shape_inference.infer_shapes(model),  # a copy; onnxsim fails without output shapes
        random_feeds(model) if feeds is None else feeds,
        tolerance=HALF_TOLERANCE if _has_half(model) else GRAPH_TOLERANCE,
    )
    passes, cannot = [], ""
    for step in steps:
        if step.name == OPSET_DOWN:
            applied, cannot = _down(runner, step)
        else:
            applied = runner.rewrite(step)
        passes += [] if applied is None else [applied]
        report(step.name)
    runner.model.metadata_props.extend(model.metadata_props)
    findings = [
        replace(finding, why=f"{finding.why}; {cannot}", remedy=OTHER_OPERATOR)
        if cannot and finding.kind == "opset"
        else finding
        for finding in preflight(runner.model, tensorrt)
    ]
    return LoweredModel(runner.model, passes, findings)


def steps_for(tensorrt: str) -> int:
    """Return how many passes `lower` tries for a version."""
    return len(_steps(read_version(tensorrt)))


def _steps(version: Version) -> list[GraphPass]:
    newest = newest_opset(version)

    def no_newer(model: onnx.ModelProto) -> onnx.ModelProto:
        return opset_down(model, newest) if opset_of(model) > newest else model

    return [
        GraphPass(constants.__name__, constants),
        GraphPass(simplify.__name__, simplify),
        *passes_of(version),
        GraphPass(OPSET_DOWN, no_newer),
        GraphPass(shapes.__name__, shapes),
    ]


def _down(runner: PassRunner, step: GraphPass) -> tuple[AppliedPass | None, str]:
    """Bring the opset down; if that cannot be done, leave it, and return why."""
    untouched = type(runner.model)()
    untouched.CopyFrom(runner.model)
    try:
        return runner.rewrite(step), ""
    except ExportError as error:
        runner.model = untouched
        return None, str(error)


def _hopeless(model: onnx.ModelProto, findings: list[Finding]) -> list[Finding]:
    """Return the findings for which the graph cannot even be run to compare."""
    inputs = {value.name for value in inputs_of(model.graph)}
    return [
        finding
        for finding in findings
        if (finding.kind == "shape" and finding.where in inputs)
        or (finding.kind == "type" and finding.subject not in BORDER_TYPES)
        or (finding.kind == "operator" and "::" in finding.subject)  # of another domain
    ]


def _has_half(model: onnx.ModelProto) -> bool:
    from onnx import TensorProto

    border = (value.type.tensor_type.elem_type for value in model.graph.input)
    weights = (tensor.data_type for tensor in model.graph.initializer)
    return TensorProto.FLOAT16 in (*border, *weights)
