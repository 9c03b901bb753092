"""Rewrite any ONNX model of static shapes for an old parser of TensorRT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.passes.checked import PassReport, check_pass
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.contract import describe_values
from sam2lite.exporter.onnx.passes.shapes import shapes
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.onnx.random_feeds import random_feeds
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.tensorrt.passes.border import inputs_of
from sam2lite.exporter.tensorrt.passes.opset_down import opset_down
from sam2lite.exporter.tensorrt.passes.table import REWRITES
from sam2lite.exporter.tensorrt.preflight import Finding, preflight
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, run_onnx
from sam2lite.exporter.verify.selection import Arrays
from sam2lite.targets.tensorrt_ops import BORDER_TYPES, newest_opset, read_version

if TYPE_CHECKING:
    import onnx

# Of outputs of a graph with FP16 in it: some roundings of 5e-4 each.
HALF_TOLERANCE = 5e-3
OTHER_OPERATOR = "do without that form, or export with an opset that the parser knows"


@dataclass(frozen=True)
class AppliedPass(PassReport):
    """What a pass did that changed something.

    Attributes:
        operators: how many nodes of an operator came (above 0) or went (below).
        border: the new type of inputs and outputs whose type it changed, by name.
    """

    operators: dict[str, int]
    border: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a plain dictionary."""
        return asdict(self)


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
    report: Callable[[str], None] = lambda _: None,
) -> LoweredModel:
    """Rewrite what a version of TensorRT would not take, and check the values after every pass.

    A graph that no pass can help, for its inputs have no fixed shape or an operator is not ONNX's,
    is left as it is: `findings` then name these reasons alone.

    Args:
        model: with its weights inside; it stays as it is.
        tensorrt: the version, as in `8.2.1`.
        feeds: inputs to compare with, by name; those of `random_feeds` if not given.
        report: told the name of each pass when it is done.

    Raises:
        ArgumentError: the version is not one, or older than 8.2.
        ExportError: onnxruntime cannot run the model, or a pass broke it.
        VerificationError: a pass changed a value by more than rounding.
    """
    version = read_version(tensorrt)
    hopeless = _hopeless(model, preflight(model, tensorrt))
    if hopeless:
        return LoweredModel(model, [], hopeless)
    run = _Run(model, feeds)
    for first in (constants, simplify):
        run.apply(first, report=report)
    for rewrite in REWRITES:
        if rewrite.applies_to(version):
            run.apply(rewrite.apply, rewrite.retypes, report=report)
    cannot = run.lower_opset(newest_opset(version), report)
    run.apply(shapes, report=report)
    run.model.metadata_props.extend(model.metadata_props)
    findings = [
        replace(finding, why=f"{finding.why}; {cannot}", remedy=OTHER_OPERATOR)
        if cannot and finding.kind == "opset"
        else finding
        for finding in preflight(run.model, tensorrt)
    ]
    return LoweredModel(run.model, run.passes, findings)


def steps_for(tensorrt: str) -> int:
    """Return how many passes `lower` tries for a version."""
    version = read_version(tensorrt)
    return 4 + sum(rewrite.applies_to(version) for rewrite in REWRITES)


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


class _Run:
    """The model on its way, and what it is compared with."""

    def __init__(self, model: onnx.ModelProto, feeds: Arrays | None) -> None:
        import onnx

        # A copy; onnxsim fails where an output says no shape.
        self.model = onnx.shape_inference.infer_shapes(model)
        self.passes: list[AppliedPass] = []
        self._tolerance = HALF_TOLERANCE if _has_half(model) else GRAPH_TOLERANCE
        self._feeds = random_feeds(model) if feeds is None else feeds
        self._expected = run_onnx(model, self._feeds, optimise=False)

    def apply(
        self,
        change: Callable[[onnx.ModelProto], onnx.ModelProto],
        retypes: Mapping[str, str] | None = None,
        *,
        report: Callable[[str], None],
        name: str = "",
    ) -> None:
        """Apply a pass; if it changed something, check border and values, and note what."""
        name = name or change.__name__
        nodes, before = _nodes(self.model), _operators(self.model)
        border = self._border()
        self.model = change(self.model)
        if (nodes, border) != (_nodes(self.model), self._border()):
            allowed = retypes or {}
            self._feeds = _retyped(name, self._feeds, inputs_of(self.model.graph), allowed)
            self._expected = _retyped(name, self._expected, self.model.graph.output, allowed)
            checked = check_pass(name, self.model, self._feeds, self._expected, self._tolerance)
            difference = _operators(self.model)
            difference.subtract(before)
            self.passes.append(
                AppliedPass(
                    **asdict(checked),
                    operators={k: n for k, n in sorted(difference.items()) if n},
                    border={k: t for k, t in self._border().items() if border.get(k) != t},
                )
            )
        report(name)

    def lower_opset(self, opset: int, report: Callable[[str], None]) -> str:
        """Bring the opset down if it is above; return why that cannot be done, if it cannot."""
        if opset_of(self.model) <= opset:
            report("opset_down")
            return ""
        untouched = type(self.model)()
        untouched.CopyFrom(self.model)
        try:
            self.apply(lambda model: opset_down(model, opset), report=report, name="opset_down")
        except ExportError as error:
            self.model = untouched
            return str(error)
        return ""

    def _border(self) -> dict[str, str]:
        values = (*inputs_of(self.model.graph), *self.model.graph.output)
        return {spec.name: spec.dtype for spec in describe_values(values)}


def _retyped(
    name: str, arrays: Arrays, values: Iterable[onnx.ValueInfoProto], allowed: Mapping[str, str]
) -> Arrays:
    """Return arrays in the types of a border that a pass may have changed.

    Raises:
        ExportError: the pass changed a name, or a type that it may not.
    """
    found = {spec.name: spec.dtype for spec in describe_values(values)}
    wanted = {key: str(array.dtype) for key, array in arrays.items()}
    fits = set(found) == set(wanted) and all(
        found[key] in (dtype, allowed.get(dtype)) for key, dtype in wanted.items()
    )
    if not fits:
        raise ExportError(
            f"the pass '{name}' made {found} of the graph's {wanted}; the pass is at fault"
        )
    return {key: array.astype(found[key]) for key, array in arrays.items()}


def _nodes(model: onnx.ModelProto) -> list[bytes]:
    return [node.SerializeToString(deterministic=True) for node in model.graph.node] + [
        str(opset_of(model)).encode()
    ]


def _operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def _has_half(model: onnx.ModelProto) -> bool:
    from onnx import TensorProto

    border = (value.type.tensor_type.elem_type for value in model.graph.input)
    weights = (tensor.data_type for tensor in model.graph.initializer)
    return TensorProto.FLOAT16 in (*border, *weights)
