"""Pass `rows`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.onnx.skeleton import skeleton

if TYPE_CHECKING:
    import onnx

# Element by element, or along the last axis; the last three are LayerNormalization before opset 17.
_UNARY = {
    "Relu",
    "Sigmoid",
    "Erf",
    "Sin",
    "Cos",
    "LayerNormalization",
    "Softmax",
    "ReduceMean",
    "Sqrt",
}
_BINARY = {"Add", "Sub", "Mul", "MatMul", "Pow", "Div"}
_AXIS = {1: 0, -2: 0, 2: 1, -1: 1}


def rows(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the axis of the one batch from tokens, and write linear layers as Gemm.

    Saves the reshaping around every linear layer. And only a Gemm has its bias inside: in INT8 ONNX
    Runtime would fuse product and sum to one with a float bias, and compute that one in float.

    **Given:**

        %y: float32[1, 900, 64] = MatMul(%x, weight)
        %z: float32[1, 900, 64] = Add(%y, bias)

    **Result:**

        %x:rows: float32[900, 128] = Reshape(%x)
        %z:rows: float32[900, 64] = Gemm(%x:rows, weight, bias)

    Parity: to rounding; sums are taken in another order.
    """
    import onnx

    shaped = onnx.shape_inference.infer_shapes(skeleton(model), strict_mode=True)
    _Rows(shaped.graph, model.graph).rewrite()
    return model


class _Rows:
    def __init__(self, shaped: onnx.GraphProto, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._shapes = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in (*shaped.value_info, *shaped.input, *shaped.output)
        }
        self._shapes.update({name: list(x.dims) for name, x in self._constants.items()})
        self._users: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        self._rows: dict[str, str] = {}  # [n, c] for [1, n, c]
        self._whole = {value.name for value in graph.input} | set(self._constants)
        self._nodes: list[onnx.NodeProto] = []

    def rewrite(self) -> None:
        """Rewrite the graph in place."""
        skipped: set[str] = set()
        for node in list(self._graph.node):
            if node.output[0] in skipped:
                continue
            bias = self._bias(node)
            if bias is not None:
                skipped.add(bias[0].output[0])
                self._gemm(node, *bias)
            elif not self._in_rows(node):
                self._as_it_is(node)
        for value in self._graph.output:
            self._need(value.name)
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.node[:]
        del self._graph.initializer[:]
        del self._graph.value_info[:]
        self._graph.node.extend(self._nodes)
        self._graph.initializer.extend(kept)

    def _is_tokens(self, name: str) -> bool:
        shape = self._shapes.get(name, [])
        return len(shape) == 3 and shape[0] == 1

    def _bias(self, node: onnx.NodeProto) -> tuple[onnx.NodeProto, str] | None:
        """Return the sum with a constant vector that alone takes a product with a constant."""
        if node.op_type != "MatMul" or not self._is_tokens(node.input[0]):
            return None
        users = self._users.get(node.output[0], [])
        if node.input[1] not in self._constants or len(self._shapes[node.input[1]]) != 2:
            return None
        if len(users) != 1 or users[0].op_type != "Add":
            return None
        vectors = [x for x in users[0].input if x in self._constants and len(self._shapes[x]) == 1]
        return (users[0], vectors[0]) if vectors else None

    def _gemm(self, product: onnx.NodeProto, addition: onnx.NodeProto, bias: str) -> None:
        from onnx import helper

        x, weight = product.input
        output = self._declare_rows(addition.output[0])
        inputs = [self._rows_of(x), weight, bias]
        self._nodes.append(helper.make_node("Gemm", inputs, [output], product.name))

    def _in_rows(self, node: onnx.NodeProto) -> bool:
        """Rewrite a node to two axes, if it has tokens that are there in rows; say whether."""
        from onnx import helper

        if not node.input:
            return False
        known = [name for name in node.input if name in self._rows]
        source, result = node.input[0], node.output[0]
        kind = node.op_type
        if kind == "Reshape" and (known or self._is_tokens(result)):
            shape = self._shapes[result]
            if self._is_tokens(result):
                shape, result = shape[1:], self._declare_rows(result)
            else:
                self._whole.add(result)
            self._reshape(self._rows.get(source, source), result, shape, node.name)
            return True
        if not known or not self._is_tokens(result):
            return False
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = list(node.input)
        if (
            kind in _UNARY
            and attributes.get("axis", -1) == -1
            and attributes.get("axes", [-1]) == [-1]
        ):
            inputs[0] = self._rows[source]
        elif kind in _BINARY and all(self._is_flat(x) or self._is_tokens(x) for x in inputs):
            inputs = [x if self._is_flat(x) else self._rows_of(x) for x in inputs]
        elif kind == "Concat" and attributes["axis"] in _AXIS:
            inputs = [self._rows_of(x) for x in inputs]
            attributes["axis"] = _AXIS[attributes["axis"]]
        elif kind == "Transpose" and attributes["perm"] == [0, 2, 1]:
            inputs[0] = self._rows[source]
            attributes["perm"] = [1, 0]
        else:
            return False
        output = self._declare_rows(result)
        self._nodes.append(helper.make_node(kind, inputs, [output], node.name, **attributes))
        return True

    def _is_flat(self, name: str) -> bool:
        """Say whether a constant has no axis of the batch."""
        return name in self._constants and len(self._shapes[name]) < 3

    def _as_it_is(self, node: onnx.NodeProto) -> None:
        for name in node.input:
            self._need(name)
        self._nodes.append(node)
        self._whole.update(node.output)

    def _need(self, name: str) -> None:
        """See to it that a value is there with all its axes."""
        if name and name not in self._whole:
            self._reshape(self._rows[name], name, self._shapes[name], f"{name}:whole")
            self._whole.add(name)

    def _declare_rows(self, name: str) -> str:
        self._rows[name] = f"{name}:rows"
        return self._rows[name]

    def _rows_of(self, name: str) -> str:
        """Return the name of tokens in rows, which are made where they are missing."""
        from onnx import numpy_helper

        if name not in self._rows:
            shape = self._shapes[name][1:]
            made = self._declare_rows(name)
            if name in self._constants:
                array = numpy_helper.to_array(self._constants[name]).reshape(shape)
                self._graph.initializer.append(numpy_helper.from_array(array, made))
            else:
                self._reshape(name, made, shape, made)
        return self._rows[name]

    def _reshape(self, source: str, result: str, shape: list[int], name: str) -> None:
        from onnx import helper, numpy_helper

        constant = f"{result}:shape"
        self._graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), constant))
        self._nodes.append(helper.make_node("Reshape", [source, constant], [result], name))
