"""What one graph takes as a TensorRT engine: its weights, its activations, its inputs and outputs.

Computed from the graph, not measured. TensorRT fuses more than is assumed here and may keep a
layout with padding, so the activations of an engine are of this order, not this number.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from sam2lite.errors import ExportError

if TYPE_CHECKING:
    import onnx

# The output is the input's memory under another shape.
_VIEWS = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout"}
# The output may be written over an input that nobody needs any more.
_ELEMENTWISE = """
Abs Add Cast Clip Cos Div Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu Log Max Min Mul Neg
PRelu Pow Reciprocal Relu Sigmoid Sin Softplus Sqrt Sub Tanh Where
"""
_IN_PLACE = frozenset(_ELEMENTWISE.split())
_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"


@dataclass(frozen=True)
class GraphMemory:
    """Bytes that a graph takes.

    Attributes:
        stored: its weights as the ONNX file has them, with all that the file shares.
        weights: its weights in the engine. Engines share none, so each has its own copy.
        activations: most that is alive at once between the nodes.
        border: inputs and outputs, which the program around the engine allocates.
    """

    stored: int
    weights: int
    activations: int
    border: int


def graph_memory(model: onnx.ModelProto, precision: str) -> GraphMemory:
    """Estimate what a graph takes as an engine.

    Args:
        model: of static shapes; weights may be in another file, they are not read.
        precision: `fp16` halves every float of a graph without FP16 types, as TensorRT's flag does,
            what is kept in FP32 included. Otherwise each tensor counts as the graph types it, and
            what is quantized counts one byte an element.

    Raises:
        ExportError: the shape of a tensor is not known.
    """
    import onnx

    sizes = _Sizes(onnx.shape_inference.infer_shapes(model, data_prop=True), precision)
    graph = model.graph
    stored = sum(prod(tensor.dims) * _item_bytes(tensor.data_type) for tensor in graph.initializer)
    weights = sum(sizes.weight(tensor) for tensor in graph.initializer)
    border = [*graph.input, *graph.output]
    return GraphMemory(
        stored,
        weights,
        _peak(graph, sizes),
        sum(sizes.declared(value.name) for value in border if value.name not in sizes.constants),
    )


def input_bytes(model: onnx.ModelProto) -> dict[str, int]:
    """Return the size of every input of a graph, by name."""
    sizes = _Sizes(model, "fp32")
    names = (value.name for value in model.graph.input)
    return {name: sizes.declared(name) for name in names if name not in sizes.constants}


class _Sizes:
    """Sizes of a graph's tensors, in bytes."""

    def __init__(self, model: onnx.ModelProto, precision: str) -> None:
        import onnx

        graph = model.graph
        self.constants = {tensor.name for tensor in graph.initializer}
        self._float = int(onnx.TensorProto.FLOAT)
        self._types = {
            value.name: value.type.tensor_type
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        typed = {int(tensor.data_type) for tensor in graph.initializer}
        typed |= {int(tensor.elem_type) for tensor in self._types.values()}
        self._halve = precision == "fp16" and int(onnx.TensorProto.FLOAT16) not in typed
        uses = Counter(name for node in graph.node for name in node.input)
        quantized = Counter(node.input[0] for node in graph.node if node.op_type == _QUANTIZE)
        self.quantized = {name for name, count in quantized.items() if count == uses[name]}

    def weight(self, tensor: onnx.TensorProto) -> int:
        return int(prod(tensor.dims)) * self._item(tensor.name, tensor.data_type)

    def activation(self, name: str) -> int:
        return self._elements(name) * self._item(name, self._types[name].elem_type)

    def declared(self, name: str) -> int:
        return self._elements(name) * _item_bytes(self._types[name].elem_type)

    def _elements(self, name: str) -> int:
        shape = self._types[name].shape if name in self._types else None
        if shape is None or not all(dim.dim_value > 0 for dim in shape.dim):
            raise ExportError(
                f"the memory of {name!r} cannot be told, because its shape is not known before it "
                "runs; export with static shapes"
            )
        return prod(int(dim.dim_value) for dim in shape.dim)

    def _item(self, name: str, data_type: int) -> int:
        if name in self.quantized:
            return 1
        return 2 if self._halve and data_type == self._float else _item_bytes(data_type)


def _peak(graph: onnx.GraphProto, sizes: _Sizes) -> int:
    """Return the most bytes alive at once, walking the nodes in their order."""
    constants = set(sizes.constants)
    root: dict[str, str] = {}  # of a view: the value whose memory it is
    for node in graph.node:
        if all(not name or name in constants for name in node.input):
            constants.update(node.output)  # folded when the engine is built
        elif _is_view(node, sizes):
            root[node.output[0]] = root.get(node.input[0], node.input[0])
    border = {root.get(value.name, value.name) for value in (*graph.input, *graph.output)}
    last_use = {
        root.get(name, name): index
        for index, node in enumerate(graph.node)
        for name in (*node.input, *node.output)
    }
    alive: dict[str, int] = {}
    peak = 0
    for index, node in enumerate(graph.node):
        born = {
            name: sizes.activation(name)
            for name in node.output
            if name and name not in constants and name not in root and name not in border
        }
        dying = [name for name in alive if last_use[name] == index]
        if node.op_type in _IN_PLACE:
            _drop(alive, dying)
        alive.update(born)
        peak = max(peak, sum(alive.values()))
        _drop(alive, dying)
        _drop(alive, [name for name in born if last_use[name] == index])
    return peak


def _is_view(node: onnx.NodeProto, sizes: _Sizes) -> bool:
    # Q and DQ are part of the kernels beside them; what only Q reads is written as INT8 at once.
    if node.op_type == _QUANTIZE:
        return node.input[0] in sizes.quantized
    return node.op_type in _VIEWS or node.op_type == _DEQUANTIZE


def _drop(alive: dict[str, int], names: list[str]) -> None:
    for name in names:
        alive.pop(name, None)


def _item_bytes(data_type: int) -> int:
    import onnx

    return int(onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize)
