"""Linear layers whose inputs may be scaled, because what comes before takes the scale over.

A layer norm, an affine step, or a linear layer (with a ReLU behind it, too) can hand on each
channel divided by a number, if all that takes the channels are linear layers that multiply by it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.onnx.walk import attribute_of

if TYPE_CHECKING:
    import onnx

    from sam2lite.calibration.four_bits.grid import Floats

_LINEAR = ("MatMul", "Gemm")
_SAME_WIDTH = ("Reshape", "Squeeze", "Unsqueeze")  # keep channels where the last side stays


@dataclass(frozen=True)
class Scalable:
    """Layers that take the same channels.

    Attributes:
        source: name of the value that channels are first in.
        layers: names of the nodes of all layers that take them.
    """

    source: str
    layers: tuple[str, ...]


class Absorbing:
    """Finds such layers in a graph, and scales them in place."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Take a graph in float, with its weights inside and shapes written down."""
        self._graph = model.graph
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._nodes = {node.name: node for node in model.graph.node}
        self._takers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in set(node.input):
                self._takers.setdefault(name, []).append(node)
        self._uses = Counter(name for node in model.graph.node for name in node.input)
        self._results = {value.name for value in model.graph.output}
        values = (*model.graph.value_info, *model.graph.input, *model.graph.output)
        self._widths = {
            value.name: value.type.tensor_type.shape.dim[-1].dim_value
            for value in values
            if value.type.tensor_type.shape.dim
        }

    def found(self) -> list[Scalable]:
        """Return all layers whose inputs may be scaled, in the order of the graph."""
        scalable = []
        for node in self._graph.node:
            if self._absorbers(node) is None:
                continue
            source = node.output[0]
            layers = self._layers_of(source)
            if layers:
                scalable.append(Scalable(source, tuple(layers)))
        # An affine step within another's way would be scaled twice.
        first: dict[tuple[str, ...], Scalable] = {}
        for entry in scalable:
            first[tuple(sorted(entry.layers))] = entry
        return list(first.values())

    def weight_oi(self, layer: str) -> Floats:
        """Return a layer's weight, float32 `[out, in]`."""
        node = self._nodes[layer]
        values = self._values(node.input[1])
        return values if _is_transposed(node) else values.T

    def scale(self, scalable: Scalable, scale_i: Floats) -> None:
        """Divide the channels by a scale, and multiply the layers' weights by it."""
        for index, axis in self._absorbers(self._makers[scalable.source]) or ():
            self._rescale(*index, 1.0 / scale_i, axis)
        for layer in scalable.layers:
            node = self._nodes[layer]
            self._rescale(node, 1, scale_i, 1 if _is_transposed(node) else 0)

    def _rescale(self, node: onnx.NodeProto, index: int, scale_c: Floats, axis: int) -> None:
        from onnx import numpy_helper

        name = node.input[index]
        values = self._values(name)
        shape = [1] * values.ndim
        shape[axis] = -1
        scaled = (values * scale_c.reshape(shape)).astype(np.float32)
        if self._uses[name] == 1:
            self._constants[name].CopyFrom(numpy_helper.from_array(scaled, name))
            return
        own = f"{name}.of.{node.output[0]}"
        self._uses[name] -= 1
        self._uses[own] = 1
        self._graph.initializer.append(numpy_helper.from_array(scaled, own))
        self._constants[own] = self._graph.initializer[-1]
        node.input[index] = own

    def _absorbers(
        self, node: onnx.NodeProto
    ) -> list[tuple[tuple[onnx.NodeProto, int], int]] | None:
        """Return the constants of a value's makers that scale its channels, and their axes.

        None where the value cannot be scaled.
        """
        if node.op_type == "LayerNormalization":
            own = [index for index in (1, 2) if len(node.input) > index and node.input[index]]
            wide = all(self._is_vector(node.input[index]) for index in own)
            return [((node, index), -1) for index in own] if wide else None
        if node.op_type == "Relu":
            maker = self._makers.get(node.input[0])
            alone = len(self._takers.get(node.input[0], ())) == 1
            return self._absorbers(maker) if maker is not None and alone else None
        if node.op_type == "Add":
            constant = [i for i, name in enumerate(node.input) if self._is_vector(name)]
            if len(constant) != 1:
                return None
            other = node.input[1 - constant[0]]
            maker, alone = self._makers.get(other), len(self._takers.get(other, ())) == 1
            if maker is None or not alone or other in self._results:
                return None
            if maker.op_type == "Mul":
                factors = [i for i, name in enumerate(maker.input) if self._is_vector(name)]
                if len(factors) != 1:
                    return None
                return [((maker, factors[0]), -1), ((node, constant[0]), -1)]
            below = self._absorbers(maker) if maker.op_type in _LINEAR else None
            return None if below is None else [*below, ((node, constant[0]), -1)]
        if node.op_type in _LINEAR and self._is_linear(node):
            weight = ((node, 1), 0 if _is_transposed(node) else 1)
            bias = len(node.input) > 2 and node.input[2]
            if bias and not self._is_vector(node.input[2]):
                return None
            return [weight, ((node, 2), -1)] if bias else [weight]
        return None

    def _layers_of(self, source: str) -> list[str]:
        """Return the linear layers that take all of a value's channels; none if others do, too."""
        layers: list[str] = []
        ahead = [source]
        while ahead:
            name = ahead.pop()
            takers = self._takers.get(name, [])
            if name in self._results or not takers:
                return []
            for node in takers:
                if node.op_type in _LINEAR and self._is_linear(node) and node.input[0] == name:
                    layers.append(node.name)
                elif self._keeps_channels(node, name):
                    ahead.append(node.output[0])
                else:
                    return []
        return layers

    def _keeps_channels(self, node: onnx.NodeProto, name: str) -> bool:
        if node.input[0] != name:
            return False
        if node.op_type in _SAME_WIDTH:
            width = self._widths.get(name, 0)
            return bool(width > 1 and width == self._widths.get(node.output[0]))
        if node.op_type == "Transpose":
            order = attribute_of(node, "perm", [])
            return bool(order and order[-1] == len(order) - 1)
        return node.op_type == "Identity"

    def _is_linear(self, node: onnx.NodeProto) -> bool:
        tensor = self._constants.get(node.input[1])
        # A weight that two layers share can have one scale alone.
        if tensor is None or len(tensor.dims) != 2 or self._uses[tensor.name] != 1:
            return False
        return bool(node.op_type == "MatMul" or not attribute_of(node, "transA", 0))

    def _is_vector(self, name: str) -> bool:
        tensor = self._constants.get(name)
        return tensor is not None and len(tensor.dims) >= 1 and tensor.dims[-1] > 1

    def _values(self, name: str) -> Floats:
        from onnx import numpy_helper

        return np.asarray(numpy_helper.to_array(self._constants[name]), np.float32)


def _is_transposed(node: onnx.NodeProto) -> bool:
    return node.op_type == "Gemm" and attribute_of(node, "transB", 0) == 1
