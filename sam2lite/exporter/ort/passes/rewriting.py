"""What passes that put other nodes in the place of some have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.walk import leading_to

if TYPE_CHECKING:
    import onnx


class Rewriting:
    """A graph that is given other nodes.

    Attributes:
        results: names of the graph's outputs.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.results = {value.name for value in graph.output}
        self._graph = graph
        self._constants: dict[bytes, str] = {}

    def put(self, nodes: Sequence[onnx.NodeProto]) -> None:
        """Give the graph these nodes in order, but for nodes and constants that no result needs."""
        kept = leading_to(self.results, nodes)
        used = self.results.union(*(node.input for node in kept))
        initializers = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.node[:]
        del self._graph.initializer[:]
        self._graph.node.extend(kept)
        self._graph.initializer.extend(initializers)

    def replace(self, made: Mapping[str, Sequence[onnx.NodeProto]]) -> None:
        """Put other nodes in the place of some, in place.

        Args:
            made: nodes by the first result of the one that they replace.
        """
        nodes: list[onnx.NodeProto] = []
        for node in self._graph.node:
            nodes += made.get(node.output[0], [node])
        self.put(nodes)

    def constant(self, array: np.ndarray[Any, Any], name: str) -> str:
        """Return the name of a constant, which equal ones share."""
        from onnx import numpy_helper

        key = str((array.dtype, array.shape)).encode() + array.tobytes()
        if key not in self._constants:
            self._constants[key] = name
            self._graph.initializer.append(numpy_helper.from_array(array, name))
        return self._constants[key]

    def reshape(self, source: str, result: str, shape: tuple[int, ...]) -> onnx.NodeProto:
        """Return a Reshape of a value to a shape."""
        sides = self.constant(np.array(shape, np.int64), f"{result}:sides")
        return named("Reshape", [source, sides], result)


def named(operator: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    """Return a node that is named by what it makes."""
    from onnx import helper

    return helper.make_node(operator, inputs, [output], f"{output}/{operator}", **attributes)
