"""Pass `moves`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import leading_to
from sam2lite.exporter.ort.passes.origins import Origin, Origins

if TYPE_CHECKING:
    import onnx

# Below either of them a Gather is no cheaper than what it replaces: steps that copy the data, and
# numbers that stay neighbours.
_LEAST_COPIES = 2
_LEAST_RUN = 16


def moves(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write what only moves numbers about, and copies them several times, as one Gather of rows.

    Cutting a map into windows and heads takes a Transpose for each, and filling up the last windows
    a Concat for each axis. Where each number comes from is known at export, and rows of neighbours
    stay together. Columns in place of rows are turned round last: a product then does that by
    itself.

    **Given:**

        %a: float32[1, 42, 42, 384] = Concat(Concat(%x, right), below)
        %b: float32[3, 3, 14, 14, 384] = Transpose(Reshape(%a), perm=[0, 2, 1, 3, 4])
        %y: float32[9, 4, 196, 96] = Transpose(Reshape(%b), perm=[0, 2, 1, 3])

    **Result:**

        %rows: float32[4100, 96] = Concat(Reshape(%x), filling)
        %y: float32[9, 4, 196, 96] = Reshape(Gather(%rows, where))

    Parity: exact, nothing is computed.
    """
    _Moves(model.graph, Origins(model.graph, GraphFacts(model, opset_of(model)))).rewrite()
    return model


class _Moves:
    def __init__(self, graph: onnx.GraphProto, origins: Origins) -> None:
        self._graph, self._origins = graph, origins
        self._results = {value.name for value in graph.output}
        self._readers: dict[str, list[str]] = {}  # what is made of a value
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node.output[0])
        self._tables: dict[bytes, str] = {}

    def rewrite(self) -> None:
        """Rewrite the graph in place."""
        nodes: list[onnx.NodeProto] = []
        for node in self._graph.node:
            nodes += self._gathered(node.output[0]) or [node]
        kept = leading_to(self._results, nodes)
        used = {name for node in kept for name in node.input} | self._results
        initializers = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.node[:]
        del self._graph.initializer[:]
        self._graph.node.extend(kept)
        self._graph.initializer.extend(initializers)

    def _gathered(self, name: str) -> list[onnx.NodeProto] | None:
        """Return the nodes that make a value at once; None where it is made as it was."""
        origin = self._origins.of(name)
        if origin is None or origin.copies < _LEAST_COPIES or not self._is_end(name):
            return None
        if origin.run >= _LEAST_RUN:
            return self._nodes(name, origin)
        turned = origin.turned()
        if turned is None or turned.run < _LEAST_RUN:
            return None
        rank, rows = origin.places.ndim, f"{name}:rows_first"
        perm = [*range(rank - 2), rank - 1, rank - 2]
        return [*self._nodes(rows, turned), _node("Transpose", [rows], name, perm=perm)]

    def _is_end(self, name: str) -> bool:
        """Say whether a value is read by what does not go on moving it in rows."""
        further = [self._origins.of(reader) for reader in self._readers.get(name, [])]
        return name in self._results or any(o is None or o.run < _LEAST_RUN for o in further)

    def _nodes(self, name: str, origin: Origin) -> list[onnx.NodeProto]:
        run, rows, gathered = origin.run, f"{name}:source", f"{name}:gathered"
        nodes = [self._reshape(origin.source, rows, (origin.size // run, run))]
        if origin.filling.size:
            filling = self._constant(origin.filling.reshape(-1, run), f"{name}:filling")
            nodes.append(_node("Concat", [rows, filling], f"{name}:filled", axis=0))
            rows = f"{name}:filled"
        where = origin.places.reshape(-1, run)[:, 0] // run
        table = self._constant(where.astype(np.int32), f"{name}:where")
        nodes.append(_node("Gather", [rows, table], gathered, axis=0))
        return [*nodes, self._reshape(gathered, name, origin.places.shape)]

    def _reshape(self, source: str, result: str, shape: tuple[int, ...]) -> onnx.NodeProto:
        sides = self._constant(np.array(shape, np.int64), f"{result}:sides")
        return _node("Reshape", [source, sides], result)

    def _constant(self, array: np.ndarray, name: str) -> str:
        """Return the name of a constant, which equal ones share."""
        from onnx import numpy_helper

        key = str((array.dtype, array.shape)).encode() + array.tobytes()
        if key not in self._tables:
            self._tables[key] = name
            self._graph.initializer.append(numpy_helper.from_array(array, name))
        return self._tables[key]


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node(operator, inputs, [output], f"{output}/{operator}", **attributes)
