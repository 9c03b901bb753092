"""Applies passes to a model one by one, and checks after each that nothing else changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.errors import ExportError, Sam2LiteError
from sam2lite.exporter.onnx.computation import computation
from sam2lite.exporter.onnx.passes.checked import PassReport, check_pass
from sam2lite.exporter.onnx.passes.contract import describe_values, require_contract
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import graphs_of, inputs_of
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, run_onnx
from sam2lite.exporter.verify.selection import Arrays

if TYPE_CHECKING:
    import onnx


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


class PassRunner:
    """A model on its way, and what it is compared with.

    Attributes:
        model: after the passes so far.
        spec: its spec, in the types that passes left there; None where nothing is known of it.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        feeds: Arrays,
        spec: GraphSpec | None = None,
        tolerance: float = GRAPH_TOLERANCE,
    ) -> None:
        """Run a model once, with onnxruntime's own graph optimisations off.

        Args:
            model: is changed.
            feeds: its inputs, by name.
            spec: bound; shapes are checked only with it.
            tolerance: largest relative error that a pass may make.

        Raises:
            ExportError: onnxruntime cannot run the model.
        """
        self.model, self.spec = model, spec
        self._feeds, self._tolerance = feeds, tolerance
        self._expected = run_onnx(model, feeds, optimise=False)
        self._computed = computation(model)
        self._report = PassReport("", len(model.graph.node), 0.0, 0.0)

    def apply(self, step: GraphPass) -> PassReport:
        """Apply a pass and check, whatever it did.

        Raises:
            ExportError: the pass failed, or changed an input or output in another way than it may.
            VerificationError: a value changed by more than the tolerance.
        """
        domains = _domains(self.model)
        self.model = step.apply(self.model)
        _require_known(step, self.model, domains)
        return self._checked(step)

    def rewrite(self, step: GraphPass) -> AppliedPass | None:
        """Apply a pass; if it changed something, check, and return what. Raises as `apply`."""
        nodes, before, border = _nodes(self.model), _operators(self.model), _border(self.model)
        domains = _domains(self.model)
        self.model = step.apply(self.model)
        _require_known(step, self.model, domains)
        if (nodes, border) == (_nodes(self.model), _border(self.model)):
            return None
        checked = self._checked(step)
        difference = _operators(self.model)
        difference.subtract(before)
        return AppliedPass(
            **asdict(checked),
            operators={k: n for k, n in sorted(difference.items()) if n},
            border={k: t for k, t in _border(self.model).items() if border.get(k) != t},
        )

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """Put everything back as it was where an error of ours leaves the block."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        saved = self.spec, self._feeds, self._expected, self._computed, self._report
        try:
            yield
        except Sam2LiteError:
            self.model = model
            self.spec, self._feeds, self._expected, self._computed, self._report = saved
            raise

    def _checked(self, step: GraphPass) -> PassReport:
        graph = self.model.graph
        if self.spec is not None:
            if step.retypes:
                self.spec = _retyped_spec(self.spec, _border(self.model), step.retypes)
            require_contract(self.model, self.spec, after=f"the pass '{step.name}'")
        self._feeds = _retyped(step, self._feeds, inputs_of(graph))
        self._expected = _retyped(step, self._expected, graph.output)
        computed = computation(self.model)
        if computed == self._computed:  # other names and notes alone: the last values still hold
            self._report = replace(self._report, name=step.name, nodes=len(graph.node))
            return self._report
        self._report = check_pass(
            step.name, self.model, self._feeds, self._expected, self._tolerance
        )
        self._computed = computed
        return self._report


def _retyped(step: GraphPass, arrays: Arrays, values: Iterable[onnx.ValueInfoProto]) -> Arrays:
    """Return arrays in the types of a border that a pass may have changed.

    Raises:
        ExportError: the pass changed a name, or a type that it may not.
    """
    found = {spec.name: spec.dtype for spec in describe_values(values)}
    wanted = {key: str(array.dtype) for key, array in arrays.items()}
    fits = set(found) == set(wanted) and all(
        found[key] in (dtype, step.retypes.get(dtype)) for key, dtype in wanted.items()
    )
    if not fits:
        raise ExportError(
            f"the pass '{step.name}' made {found} of the graph's {wanted}; the pass is at fault"
        )
    return {key: array.astype(found[key]) for key, array in arrays.items()}


def _retyped_spec(
    spec: GraphSpec, found: Mapping[str, str], retypes: Mapping[str, str]
) -> GraphSpec:
    """Return a spec with the types that a pass made of its own, where it may."""

    def retyped(tensors: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        return tuple(
            tensor._replace(dtype=found[tensor.name])
            if found.get(tensor.name) == retypes.get(tensor.dtype)
            else tensor
            for tensor in tensors
        )

    return spec._replace(inputs=retyped(spec.inputs), outputs=retyped(spec.outputs))


def _border(model: onnx.ModelProto) -> dict[str, str]:
    values = (*inputs_of(model.graph), *model.graph.output)
    return {spec.name: spec.dtype for spec in describe_values(values)}


def _nodes(model: onnx.ModelProto) -> list[bytes]:
    return [node.SerializeToString(deterministic=True) for node in model.graph.node] + [
        str(opset_of(model)).encode()
    ]


def _operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def _domains(model: onnx.ModelProto) -> set[str]:
    return {node.domain for graph in graphs_of(model.graph) for node in graph.node}


def _require_known(step: GraphPass, model: onnx.ModelProto, domains: set[str]) -> None:
    """Raise ExportError if a pass brought operators of a domain that the graph had none of."""
    added = sorted(_domains(model) - domains - {""})
    if added:
        raise ExportError(
            f"the pass '{step.name}' brought operators of {', '.join(added)}, which is in no "
            "standard; the pass is at fault"
        )
