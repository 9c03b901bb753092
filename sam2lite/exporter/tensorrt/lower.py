"""Rewrite any ONNX model of static shapes for an old parser of TensorRT."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sam2lite.errors import ExportError, Sam2LiteError, VerificationError
from sam2lite.exporter.onnx.incoming.older_opset import without_older_opset
from sam2lite.exporter.onnx.incoming.one_form import one_form
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
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, onnx_runner
from sam2lite.exporter.verify.selection import Arrays
from sam2lite.targets.tensorrt.limits import EVAL, Version
from sam2lite.targets.tensorrt.ops import BORDER_TYPES, newest_opset, read_version

if TYPE_CHECKING:
    import onnx

# Of outputs of a graph with FP16 in it: some roundings of 5e-4 each.
HALF_TOLERANCE = 5e-3
OPSET_DOWN = opset_down.__name__
# What onnxruntime puts before the sentence that says what happened.
_RUNTIME_CODES = re.compile(r"^onnxruntime .* cannot run the graph: (\[.*?\] : \d+ : \w+ : )?")
OTHER_OPERATOR = "do without that form, or export with an opset that the parser knows"


@dataclass(frozen=True)
class LoweredModel:
    """A model after lowering.

    Attributes:
        model: with the names and shapes of inputs and outputs that it had.
        passes: those that changed something, in order.
        findings: why the parser would still not take it; empty if it would.
        left_out: the passes whose result was thrown away, by name, and why.
    """

    model: onnx.ModelProto
    passes: list[AppliedPass]
    findings: list[Finding]
    left_out: dict[str, str] = field(default_factory=dict)


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
    is left as it is: `findings` then name these reasons alone. What a pass makes is thrown away if
    the parser would find fault with it that it did not find before.

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
    version = read_version(tensorrt)
    steps = without(_steps(version), skip)
    metadata = model.metadata_props
    model = one_form(model)
    hopeless = _hopeless(model, preflight(model, tensorrt))
    if hopeless:
        return LoweredModel(model, [], hopeless)
    given = random_feeds(model) if feeds is None else feeds
    model, too_old = without_older_opset(model, given)
    if too_old:
        old = [found for found in preflight(model, tensorrt) if found.kind == "opset"]
        return LoweredModel(
            model, [], [replace(found, why=f"{found.why}; {too_old}") for found in old]
        )
    runner = _started(model, given, "on random inputs" if feeds is None else "on those of --feeds")
    passes, left_out, cannot = [], {}, ""
    for step in steps:
        try:
            with runner.undone_on_error():
                applied = _applied(runner, step, tensorrt)
        except _WorseError as error:
            left_out[step.name] = str(error)
        except (ExportError, VerificationError) as error:
            if step.name == OPSET_DOWN and isinstance(error, ExportError):
                cannot = str(error)
            elif step.name == simplify.__name__:
                left_out[step.name] = str(error)
            else:
                raise _of_pass(step, error) from error
        else:
            passes += [] if applied is None else [applied]
        report(step.name)
    runner.model.metadata_props.extend(metadata)
    findings = [
        replace(finding, why=f"{finding.why}; {cannot}", remedy=OTHER_OPERATOR)
        if cannot and finding.kind == "opset"
        else finding
        for finding in preflight(runner.model, tensorrt)
    ]
    return LoweredModel(runner.model, passes, findings, left_out)


class _WorseError(ExportError):
    """A pass made something that the parser takes no better than before."""


def _started(model: onnx.ModelProto, feeds: Arrays, whose: str) -> PassRunner:
    """Run a model for the first time.

    Raises:
        ExportError: onnxruntime cannot run it, or not on what it was given.
    """
    import onnx

    try:
        return PassRunner(
            onnx.shape_inference.infer_shapes(model),  # onnxsim fails without output shapes
            feeds,
            tolerance=HALF_TOLERANCE if _has_half(model) else GRAPH_TOLERANCE,
        )
    except onnx.shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(
            f"the shapes of {model.graph.name} contradict each other: {reason}; export it again"
        ) from error
    except ExportError as error:
        _require_session(model)
        reason = _RUNTIME_CODES.sub("", str(error).splitlines()[0])
        raise ExportError(
            f"onnxruntime cannot run {model.graph.name} {whose} ({reason}); where it matters what "
            "they hold, as of indices, give inputs that fit: --feeds FILE.npz"
        ) from error


def _require_session(model: onnx.ModelProto) -> None:
    """Raise ExportError where the graph itself is at fault, and not what it was given."""
    try:
        onnx_runner(model, optimise=False)
    except ExportError as error:
        if "opset" not in str(error).lower():
            raise
        raise ExportError(
            f"the installed onnxruntime does not know opset {opset_of(model)} of "
            f"{model.graph.name}, so nothing can be compared; export with an older --opset, or "
            "install a newer onnxruntime"
        ) from error


def _applied(runner: PassRunner, step: GraphPass, tensorrt: str) -> AppliedPass | None:
    """Apply a pass, and look at what it made as the parser would.

    Raises:
        _WorseError: the parser would find fault with it that it did not find before.
    """
    known = {_key(found) for found in preflight(runner.model, tensorrt)}
    applied = runner.rewrite(step)
    if applied is not None:
        added = [f for f in preflight(runner.model, tensorrt) if _key(f) not in known]
        if added:
            raise _WorseError(
                f"it would bring {added[0].subject} ({added[0].where}), of which the parser says: "
                f"{added[0].why}"
            )
    return applied


def _key(finding: Finding) -> tuple[str, str, str]:
    # Not where: names change.
    return finding.kind, finding.subject, finding.why


def _of_pass(step: GraphPass, error: Sam2LiteError) -> Sam2LiteError:
    """Return an error with the name of its pass, if it does not say it."""
    if f"'{step.name}'" in str(error):
        return error
    return type(error)(
        f"the pass '{step.name}' failed: {error}; --skip-pass {step.name} leaves it out"
    )


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


def _hopeless(model: onnx.ModelProto, findings: list[Finding]) -> list[Finding]:
    """Return the findings for which the graph cannot even be run to compare."""
    inputs = {value.name for value in inputs_of(model.graph)}
    outputs = {value.name for value in model.graph.output}
    border = inputs | outputs
    return [
        finding
        for finding in findings
        # Of an output, what it is will be inferred.
        if (finding.kind == "shape" and (finding.where in inputs or finding.where not in outputs))
        or (finding.kind == "type" and finding.where in border and _is_no_border_type(finding))
        or (finding.kind == "type" and finding.subject == "sparse tensor")
        or (finding.kind == "operator" and "::" in finding.subject)  # of another domain
        or finding.remedy == EVAL
    ]


def _is_no_border_type(finding: Finding) -> bool:
    return finding.subject not in BORDER_TYPES and " of " not in finding.subject


def _has_half(model: onnx.ModelProto) -> bool:
    from onnx import TensorProto

    border = (value.type.tensor_type.elem_type for value in model.graph.input)
    weights = (tensor.data_type for tensor in model.graph.initializer)
    return TensorProto.FLOAT16 in (*border, *weights)
