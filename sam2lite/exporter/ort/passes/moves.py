"""Pass `moves`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.ort.passes.origins import Origin, Origins
from sam2lite.exporter.ort.passes.rewriting import Rewriting, named

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


class _Moves(Rewriting):
    def __init__(self, graph: onnx.GraphProto, origins: Origins) -> None:
        super().__init__(graph)
        self._origins = origins
        self._readers: dict[str, list[str]] = {}  # what is made of a value
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node.output[0])

    def rewrite(self) -> None:
        """Rewrite the graph in place."""
        nodes: list[onnx.NodeProto] = []
        for node in self._graph.node:
            nodes += self._gathered(node.output[0]) or [node]
        self.put(nodes)

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
        return [*self._nodes(rows, turned), named("Transpose", [rows], name, perm=perm)]

    def _is_end(self, name: str) -> bool:
        """Say whether a value is read by what does not go on moving it in rows."""
        further = [self._origins.of(reader) for reader in self._readers.get(name, [])]
        return name in self.results or any(o is None or o.run < _LEAST_RUN for o in further)

    def _nodes(self, name: str, origin: Origin) -> list[onnx.NodeProto]:
        run, rows, gathered = origin.run, f"{name}:source", f"{name}:gathered"
        nodes = [self.reshape(origin.source, rows, (origin.size // run, run))]
        if origin.filling.size:
            filling = self.constant(origin.filling.reshape(-1, run), f"{name}:filling")
            nodes.append(named("Concat", [rows, filling], f"{name}:filled", axis=0))
            rows = f"{name}:filled"
        where = origin.places.reshape(-1, run)[:, 0] // run
        table = self.constant(where.astype(np.int32), f"{name}:where")
        nodes.append(named("Gather", [rows, table], gathered, axis=0))
        return [*nodes, self.reshape(gathered, name, origin.places.shape)]
