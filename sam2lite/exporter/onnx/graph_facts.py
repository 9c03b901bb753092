"""What preflight and the passes need to know of a model beside a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.skeleton import inferred
from sam2lite.exporter.onnx.walk import graphs_of

if TYPE_CHECKING:
    import onnx


class GraphFacts:
    """What the checks need to know of a model beside the node.

    Attributes:
        opset: version of the default operator set.
        makers: the node behind each tensor, by the tensor's name.
        shapes: by name, of the tensors whose shape the model says or ONNX can infer; None for a
            side that is no number.
        types: ONNX's names of their element types, by name.
    """

    def __init__(self, model: onnx.ModelProto, opset: int) -> None:
        self.opset = opset
        self.makers: dict[str, onnx.NodeProto] = {}
        self.shapes: dict[str, list[int | None]] = {}
        self.types: dict[str, str] = {}
        self._initializers: dict[str, onnx.TensorProto] = {}
        for graph in graphs_of(model.graph):
            self._initializers.update({tensor.name: tensor for tensor in graph.initializer})
            self.makers.update({name: node for node in graph.node for name in node.output})
        for graph in graphs_of(inferred(model).graph):
            for value in (*graph.input, *graph.value_info, *graph.output):
                self._describe(value)
        for tensor in self._initializers.values():
            self.types[tensor.name] = type_name(tensor.data_type)
            self.shapes[tensor.name] = list(tensor.dims)

    def _describe(self, value: onnx.ValueInfoProto) -> None:
        tensor = value.type.tensor_type
        if tensor.elem_type:
            self.types[value.name] = type_name(tensor.elem_type)
        if tensor.HasField("shape"):
            self.shapes[value.name] = [
                side.dim_value if side.HasField("dim_value") else None for side in tensor.shape.dim
            ]

    def rank(self, name: str) -> int | None:
        """Return the number of dimensions of a tensor; None where it is not known."""
        shape = self.shapes.get(name)
        return None if shape is None else len(shape)

    def array(self, name: str) -> np.ndarray[Any, Any] | None:
        """Return the values of a constant; None where there are none, or not here."""
        import onnx

        tensor = self.constant(name) if name else None
        # The values of large weights may lie in another file; what is looked at here never does.
        if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
            return None
        return np.asarray(onnx.numpy_helper.to_array(tensor))

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


def type_name(data_type: int) -> str:
    """Return ONNX's name of an element type; of one that it does not have, the number."""
    import onnx

    try:
        return str(onnx.TensorProto.DataType.Name(data_type))
    except ValueError:
        return f"type {data_type}"
