"""What the passes of this folder share: replacing nodes of one operator by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.skeleton import skeleton
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import attribute_of, graphs_of

if TYPE_CHECKING:
    import onnx

DEFAULT_DOMAINS = ("", "ai.onnx")
REDUCTION_AXES_ARE_INPUTS_SINCE = {"ReduceSum": 13}
OTHER_REDUCTION_AXES_ARE_INPUTS_SINCE = 18


class Replacement:
    """The nodes that take the place of one node.

    New nodes are called after the old one, new values after its first output.

    Attributes:
        node: the old one; what reads its outputs must find them made here.
        opset: of the model.
    """

    def __init__(
        self, node: onnx.NodeProto, values: _Values, graph: onnx.GraphProto, opset: int
    ) -> None:
        self.node = node
        self.nodes: list[onnx.NodeProto] = []
        self._values = values
        self._graph = graph
        self.opset = opset
        self._constants = 0

    def attribute(self, name: str, default: Any) -> Any:
        """Return an attribute of the old node."""
        return attribute_of(self.node, name, default)

    def input(self, index: int) -> str:
        """Return the name of an input of the old node, empty where it has none."""
        return str(self.node.input[index]) if len(self.node.input) > index else ""

    def shape(self, name: str) -> list[int] | None:
        """Return the shape of a value; None where a side of it is not known."""
        return self._values.shapes.get(name)

    def dtype(self, name: str) -> int:
        """Return ONNX's number of the type of a value; 0 where it is not known."""
        return self._values.types.get(name, 0)

    def constant(self, name: str) -> np.ndarray[Any, Any] | None:
        """Return the values of a constant; None where the name is not one of a constant."""
        from onnx import numpy_helper

        tensor = self._values.facts.constant(name) if name else None
        return None if tensor is None else np.asarray(numpy_helper.to_array(tensor))

    def array(self, values: np.ndarray[Any, Any]) -> str:
        """Add a constant, and return its name."""
        from onnx import numpy_helper

        name = f"{self.node.output[0]}:constant_{self._constants}"
        self._constants += 1
        self._graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def scalar(self, value: float, dtype: int) -> str:
        """Add a constant of one number in a type of ONNX's, and return its name."""
        from onnx import helper

        return self.array(np.array(value, helper.tensor_dtype_to_np_dtype(dtype)))

    def add(self, operator: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of what it makes.

        Args:
            operator: of ONNX's default domain.
            inputs: their names.
            output: its name; a new one if not given.
            attributes: of the node.
        """
        from onnx import helper

        number = len(self.nodes)
        made = output or f"{self.node.output[0]}:{number}"
        name = f"{self.node.name or self.node.output[0]}/{operator}_{number}"
        self.nodes.append(helper.make_node(operator, list(inputs), [made], name, **attributes))
        return made

    def reduce(
        self, operator: str, x: str, axes: Sequence[int], output: str = "", *, keep: bool = True
    ) -> str:
        """Add a reduction over some axes in the form of the model's opset."""
        since = REDUCTION_AXES_ARE_INPUTS_SINCE.get(operator, OTHER_REDUCTION_AXES_ARE_INPUTS_SINCE)
        if self.opset >= since:
            inputs = [x, self.array(np.array(axes, np.int64))]
            return self.add(operator, inputs, output, keepdims=int(keep))
        return self.add(operator, [x], output, axes=list(axes), keepdims=int(keep))

    def reshape(self, x: str, shape: Sequence[int], output: str = "") -> str:
        """Add a Reshape to a fixed shape."""
        return self.add("Reshape", [x, self.array(np.array(shape, np.int64))], output)

    def cast(self, x: str, dtype: int, output: str = "") -> str:
        """Add a Cast."""
        return self.add("Cast", [x], output, to=dtype)


Expand = Callable[[Replacement], bool]


def replace(model: onnx.ModelProto, operator: str, expand: Expand) -> onnx.ModelProto:
    """Replace the nodes of an operator, in branches and loops, too; change the model in place.

    Args:
        model: with its constants as initializers or Constant nodes, shapes static.
        operator: of ONNX's default domain.
        expand: fills a `Replacement`; False leaves the node as it is.
    """
    found = [g for g in graphs_of(model.graph) if any(_is(n, operator) for n in g.node)]
    if not found:
        return model
    values = _Values(model)
    opset = opset_of(model)
    for graph in found:
        nodes: list[onnx.NodeProto] = []
        for node in graph.node:
            replacement = Replacement(node, values, graph, opset)
            if _is(node, operator) and expand(replacement):
                nodes += replacement.nodes
            else:
                nodes.append(node)
        del graph.node[:]
        graph.node.extend(nodes)
    return model


def _is(node: onnx.NodeProto, operator: str) -> bool:
    return node.op_type == operator and node.domain in DEFAULT_DOMAINS


class _Values:
    """Types, shapes and constants of all values of a model, by name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnx

        self.facts = GraphFacts(model, opset_of(model))
        self.types: dict[str, int] = {}
        self.shapes: dict[str, list[int]] = {}
        inferred = onnx.shape_inference.infer_shapes(skeleton(model), data_prop=True)
        for graph in graphs_of(inferred.graph):
            for value in (*graph.input, *graph.value_info, *graph.output):
                tensor = value.type.tensor_type
                self.types[value.name] = tensor.elem_type
                sides = [dim.dim_value for dim in tensor.shape.dim if dim.HasField("dim_value")]
                if tensor.HasField("shape") and len(sides) == len(tensor.shape.dim):
                    self.shapes[value.name] = sides
            for constant in graph.initializer:
                self.types[constant.name] = constant.data_type
                self.shapes[constant.name] = list(constant.dims)
