"""Pass `moves`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import attribute_of

if TYPE_CHECKING:
    import onnx

# Of a chain, below which one Gather is no cheaper than what it replaces: passes over the data, and
# numbers that stay neighbours.
_LEAST_COPIES = 2
_LEAST_RUN = 16

_FREE = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"}
_COPIES = {"Transpose", "Slice", "Concat"}


def moves(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write what only moves numbers about, and takes several steps, as one Gather of rows.

    Cutting a map into windows and heads takes a Transpose for each, and filling up the last windows
    a Concat for each axis; every one is a pass over the data. Where each number comes from is known
    at export, and runs of neighbours stay together.

    **Given:**

        %a: float32[1, 42, 42, 384] = Concat(Concat(%x, below), right)
        %b: float32[3, 3, 14, 14, 384] = Transpose(Reshape(%a), perm=[0, 2, 1, 3, 4])
        %y: float32[9, 4, 196, 96] = Transpose(Reshape(%b), perm=[0, 2, 1, 3])

    **Result:**

        %rows: float32[4100, 96] = Concat(Reshape(%x), fillings)
        %y: float32[9, 4, 196, 96] = Reshape(Gather(%rows, where))

    Parity: exact, nothing is computed.
    """
    facts = GraphFacts(model, opset_of(model))
    _Moves(model.graph, facts).rewrite()
    return model


class _Origin:
    """Where the numbers of a value come from.

    Attributes:
        source: the value that they were moved from.
        places: of every number in `source`, counted through; above its size, in `fillings`.
        fillings: constants that were put beside, one axis.
        copies: passes over the data so far.
    """

    def __init__(
        self, source: str, places: np.ndarray, fillings: np.ndarray, copies: int
    ) -> None:
        self.source, self.places, self.fillings, self.copies = source, places, fillings, copies

    def run(self, size: int) -> int:
        """Return how many numbers stay neighbours, everywhere; `size` is that of the source."""
        flat = self.places.reshape(-1)
        starts = np.flatnonzero(np.diff(flat, prepend=flat[0] - 2) != 1)
        return math.gcd(
            int(np.gcd.reduce(starts)), int(np.gcd.reduce(flat[starts])), flat.size, size
        )


class _Moves:
    def __init__(self, graph: onnx.GraphProto, facts: GraphFacts) -> None:
        self._graph, self._facts = graph, facts
        self._origins: dict[str, _Origin] = {}
        self._users: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        self._results = {value.name for value in graph.output}
        self._tables: dict[bytes, str] = {}

    def rewrite(self) -> None:
        """Rewrite the graph in place."""
        nodes: list[onnx.NodeProto] = []
        for node in self._graph.node:
            origin = self._follow(node)
            if origin is not None:
                self._origins[node.output[0]] = origin
        for node in self._graph.node:
            gathered = self._gathered(node.output[0]) if node.output else None
            nodes += gathered or [node]
        kept = _needed(nodes, self._results)
        used = {name for node in kept for name in node.input} | self._results
        initializers = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.node[:]
        del self._graph.initializer[:]
        self._graph.node.extend(kept)
        self._graph.initializer.extend(initializers)

    def _follow(self, node: onnx.NodeProto) -> _Origin | None:
        """Return where the first output of a node comes from, if it only moves one value about."""
        if node.op_type not in _FREE | _COPIES or node.domain not in ("", "ai.onnx"):
            return None
        result = node.output[0]
        shape = self._shape(result)
        data = list(node.input) if node.op_type == "Concat" else [node.input[0]]
        moved = [name for name in data if not self._facts.is_constant(name)]
        if shape is None or len(moved) != 1 or self._shape(moved[0]) is None:
            return None
        if self._facts.types.get(moved[0], self._facts.types.get(result)) != "FLOAT":
            return None
        before = self._origin(moved[0])
        copies = before.copies + (node.op_type in _COPIES)
        if node.op_type in _FREE:
            return _Origin(before.source, before.places.reshape(shape), before.fillings, copies)
        if node.op_type == "Transpose":
            perm = attribute_of(node, "perm", list(range(before.places.ndim))[::-1])
            return _Origin(before.source, before.places.transpose(perm), before.fillings, copies)
        if node.op_type == "Slice":
            cut = _cut(node, self._facts, before.places.ndim)
            if cut is None:
                return None
            return _Origin(before.source, before.places[cut], before.fillings, copies)
        return self._filled(node, moved[0], before, copies)

    def _filled(
        self, node: onnx.NodeProto, moved: str, before: _Origin, copies: int
    ) -> _Origin | None:
        fillings, parts = before.fillings, []
        size = self._size(before.source)
        for name in node.input:
            if name == moved:
                parts.append(before.places)
                continue
            array = self._facts.array(name)
            if array is None:
                return None
            places, fillings = _found_in(fillings, array)
            parts.append(places + size)
        axis = attribute_of(node, "axis", 0)
        return _Origin(before.source, np.concatenate(parts, axis), fillings, copies)

    def _origin(self, name: str) -> _Origin:
        if name in self._origins:
            return self._origins[name]
        shape = self._shape(name)
        assert shape is not None
        places = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
        return _Origin(name, places, np.zeros(0, np.float32), 0)

    def _gathered(self, name: str) -> list[onnx.NodeProto] | None:
        """Return the nodes that make a value in one step; None where it stays as it is."""
        origin = self._origins.get(name)
        if origin is None or origin.copies < _LEAST_COPIES or not self._is_end(name):
            return None
        run = self._run(origin)
        if run >= _LEAST_RUN:
            return self._nodes(name, origin, run)
        # Keys, columns in place of rows: turned round last, which a product then does by itself.
        return self._columns(name, origin)

    def _columns(self, name: str, origin: _Origin) -> list[onnx.NodeProto] | None:
        from onnx import helper

        rank = origin.places.ndim
        if rank < 2:
            return None
        turned = _Origin(
            origin.source, origin.places.swapaxes(-1, -2), origin.fillings, origin.copies
        )
        run = self._run(turned)
        if run < _LEAST_RUN:
            return None
        perm = [*range(rank - 2), rank - 1, rank - 2]
        rows = f"{name}:turned"
        last = helper.make_node("Transpose", [rows], [name], f"{rows}/Transpose", perm=perm)
        return [*self._nodes(rows, turned, run), last]

    def _run(self, origin: _Origin) -> int:
        return math.gcd(origin.run(self._size(origin.source)), origin.fillings.size)

    def _is_end(self, name: str) -> bool:
        """Say whether something reads a value that does not go on with moving it by runs."""
        if name in self._results:
            return True
        for user in self._users.get(name, []):
            further = self._origins.get(user.output[0])
            if further is None or self._run(further) < _LEAST_RUN:
                return True
        return False

    def _nodes(self, name: str, origin: _Origin, run: int) -> list[onnx.NodeProto]:
        from onnx import helper

        source = f"{name}:from"
        nodes = [self._reshape(origin.source, source, [self._size(origin.source) // run, run])]
        if origin.fillings.size:
            fillings = self._constant(origin.fillings.reshape(-1, run), f"{name}:fillings")
            filled = f"{name}:filled"
            nodes.append(helper.make_node("Concat", [source, fillings], [filled], filled, axis=0))
            source = filled
        where = origin.places.reshape(-1, run)[:, 0] // run
        table = self._constant(where.astype(np.int32), f"{name}:where")
        gathered = f"{name}:gathered"
        nodes.append(helper.make_node("Gather", [source, table], [gathered], gathered, axis=0))
        nodes.append(self._reshape(gathered, name, list(origin.places.shape)))
        return nodes

    def _reshape(self, source: str, result: str, shape: list[int]) -> onnx.NodeProto:
        from onnx import helper

        wanted = self._constant(np.array(shape, np.int64), f"{result}:sides")
        return helper.make_node("Reshape", [source, wanted], [result], f"{result}/Reshape")

    def _constant(self, array: np.ndarray, name: str) -> str:
        """Return the name of a constant, which equal ones share."""
        from onnx import numpy_helper

        key = str((array.dtype, array.shape)).encode() + array.tobytes()
        if key not in self._tables:
            self._tables[key] = name
            self._graph.initializer.append(numpy_helper.from_array(array, name))
        return self._tables[key]

    def _shape(self, name: str) -> list[int] | None:
        shape = self._facts.shapes.get(name)
        if shape is None or any(side is None for side in shape):
            return None
        return [side for side in shape if side is not None]

    def _size(self, name: str) -> int:
        return math.prod(self._shape(name) or [0])


def _found_in(fillings: np.ndarray, array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the rows of a constant stand among fillings, and those with what was missing."""
    width = array.shape[-1]
    rows, which = np.unique(array.reshape(-1, width), axis=0, return_inverse=True)
    known = fillings.reshape(-1, width) if fillings.size % width == 0 else np.zeros((0, width))
    starts = []
    for row in rows:
        same = np.flatnonzero((known == row).all(axis=1)) if len(known) else np.zeros(0, np.int64)
        if len(same):
            starts.append(int(same[0]) * width)
        else:
            starts.append(fillings.size)
            fillings = np.concatenate([fillings, row.astype(np.float32)])
    places = np.array(starts)[which.reshape(-1)][:, None] + np.arange(width)
    return places.reshape(array.shape), fillings


def _cut(node: onnx.NodeProto, facts: GraphFacts, rank: int) -> tuple[slice, ...] | None:
    values = [facts.array(name) for name in node.input[1:]]
    if any(value is None for value in values) or len(values) < 2:
        return None
    starts, ends, *rest = [[int(x) for x in value.reshape(-1)] for value in values if value is not None]
    axes = rest[0] if rest else list(range(len(starts)))
    steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    if any(step != 1 for step in steps):
        return None
    cuts = [slice(None)] * rank
    for axis, start, end in zip(axes, starts, ends, strict=True):
        cuts[axis] = slice(start, end)
    return tuple(cuts)


def _needed(nodes: list[onnx.NodeProto], results: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes that lead to the results, in order."""
    wanted, kept = set(results), []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]
