"""Finding, in a graph, the forms of operators that `targets/tensorrt_ops.py` calls limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.walk import attribute_of, graphs_of

if TYPE_CHECKING:
    import onnx


class GraphFacts:
    """What the checks need to know of a model beside the node.

    Attributes:
        opset: version of the default operator set.
        makers: the node behind each tensor, by the tensor's name.
        ranks: number of dimensions, by name, of the tensors whose shape the model says.
    """

    def __init__(self, model: onnx.ModelProto, opset: int) -> None:
        self.opset = opset
        self.makers: dict[str, onnx.NodeProto] = {}
        self.ranks: dict[str, int] = {}
        self._initializers: dict[str, onnx.TensorProto] = {}
        for graph in graphs_of(model.graph):
            self._initializers.update({tensor.name: tensor for tensor in graph.initializer})
            self.makers.update({name: node for node in graph.node for name in node.output})
            for value in (*graph.input, *graph.value_info, *graph.output):
                if value.type.tensor_type.HasField("shape"):
                    self.ranks[value.name] = len(value.type.tensor_type.shape.dim)

    def constant(self, name: str) -> onnx.TensorProto | None:
        """Return the constant of that name, an initializer or from a Constant node."""
        if name in self._initializers:
            return self._initializers[name]
        maker = self.makers.get(name)
        if maker is None or maker.op_type != "Constant":
            return None
        return next((a.t for a in maker.attribute if a.name == "value"), None)

    def is_constant(self, name: str) -> bool:
        """Return whether a tensor is known before the graph runs, quantized or not."""
        if self.constant(name) is not None:
            return True
        maker = self.makers.get(name)
        # Quantized weights are a constant behind DequantizeLinear, which the parser knows.
        return maker is not None and (
            maker.op_type in ("Constant", "DequantizeLinear", "QuantizeLinear")
            and all(self.is_constant(part) for part in maker.input)
        )


def _input(node: onnx.NodeProto, index: int) -> str:
    return str(node.input[index]) if len(node.input) > index else ""


def _array(facts: GraphFacts, name: str) -> np.ndarray[Any, Any] | None:
    import onnx

    tensor = facts.constant(name)
    # The values of large weights may lie in another file; what is looked at here never does.
    if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
        return None
    return np.asarray(onnx.numpy_helper.to_array(tensor))


def _variable_input(node: onnx.NodeProto, facts: GraphFacts, index: int) -> bool:
    name = _input(node, index)
    return bool(name) and not facts.is_constant(name)


def _k_from(node: onnx.NodeProto, facts: GraphFacts, bound: int) -> bool:
    count = _array(facts, _input(node, 1))
    return count is not None and int(count.max()) >= bound


def _zero_point(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    name = _input(node, 2)
    if not name:
        return False
    # What is not a constant cannot be shown to be 0.
    points = _array(facts, name)
    return points is None or bool(points.any())


def _unsigned(node: onnx.NodeProto, facts: GraphFacts, _: int) -> bool:
    import onnx

    name = _input(node, 2)
    if not name and node.op_type == "QuantizeLinear":
        return True  # ONNX's default type
    # Without a zero point, DequantizeLinear has the type of what it is given.
    tensor = facts.constant(name or node.input[0])
    return tensor is not None and bool(tensor.data_type == onnx.TensorProto.UINT8)


def _einsum_form(node: onnx.NodeProto, _: GraphFacts, __: int) -> bool:
    equation = attribute_of(node, "equation", "").replace(" ", "")
    terms = equation.split("->")[0].split(",")
    return "..." in equation or any(len(set(term)) < len(term) for term in terms)


Check = Callable[["onnx.NodeProto", GraphFacts, int], bool]
CHECKS: dict[str, Check] = {
    "variable_input": _variable_input,
    "k_from": _k_from,
    "zero_point": _zero_point,
    "unsigned": _unsigned,
    "einsum_form": _einsum_form,
    "unsorted": lambda node, _, __: not attribute_of(node, "sorted", 1),
    "cubic": lambda node, _, __: attribute_of(node, "mode", "nearest") == "cubic",
    "antialias": lambda node, _, __: bool(attribute_of(node, "antialias", 0)),
    "reduction_attribute": lambda node, _, __: attribute_of(node, "reduction", "none") != "none",
    "more_outputs": lambda node, _, __: any(node.output[1:]),
    "rank_not": lambda node, facts, rank: facts.ranks.get(node.input[0], rank) != rank,
    "opset_from": lambda _, facts, opset: facts.opset >= opset,
}
