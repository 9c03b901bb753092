"""Where the numbers of values come from that are only moved about."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.walk import attribute_of

if TYPE_CHECKING:
    import onnx

    from sam2lite.exporter.onnx.graph_facts import GraphFacts

_FREE = {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"}
_COPYING = {"Transpose", "Slice", "Concat"}
_DOMAINS = ("", "ai.onnx")

Array = np.ndarray[Any, Any]


class Origin:
    """Where the numbers of a value come from.

    Attributes:
        source: the value that they were moved from.
        size: how many numbers that has.
        places: of every number, in the source counted through, or in the filling, from `size` on.
        filling: float32, one axis: constants that were put beside.
        copies: steps that copied the data.
    """

    def __init__(
        self, source: str, size: int, places: Array, filling: Array, copies: int = 0
    ) -> None:
        self.source, self.size = source, size
        self.places, self.filling, self.copies = places, filling, copies

    @cached_property
    def run(self) -> int:
        """How many numbers stay neighbours, everywhere, and begin at a multiple of that."""
        flat = self.places.reshape(-1)
        starts = np.flatnonzero(np.diff(flat, prepend=flat[:1]) != 1)  # the first one, too
        found = (int(np.gcd.reduce(starts)), int(np.gcd.reduce(flat[starts])))
        return math.gcd(*found, flat.size, self.size, self.filling.size)

    def turned(self) -> Origin | None:
        """Return that of the value with its last two axes exchanged; None if it has but one."""
        if self.places.ndim < 2:
            return None
        return self._with(self.places.swapaxes(-1, -2))

    def reshaped(self, shape: tuple[int, ...]) -> Origin:
        """Return that of the value in another shape."""
        return self._with(self.places.reshape(shape))

    def copied(self, places: Array, filling: Array | None = None) -> Origin:
        """Return that of a copy whose numbers are elsewhere."""
        made = self._with(places)
        made.filling = self.filling if filling is None else filling
        made.copies += 1
        return made

    def _with(self, places: Array) -> Origin:
        return Origin(self.source, self.size, places, self.filling, self.copies)


class Origins:
    """Those of all values of a graph."""

    def __init__(self, graph: onnx.GraphProto, facts: GraphFacts) -> None:
        """Follow every value of static shape and float numbers through the graph."""
        self._facts = facts
        self._found: dict[str, Origin] = {}
        for node in graph.node:
            found = self._follow(node)
            if found is not None:
                self._found[node.output[0]] = found

    def of(self, name: str) -> Origin | None:
        """Return that of a value; None if it is made by more than moving another one about."""
        return self._found.get(name)

    def _follow(self, node: onnx.NodeProto) -> Origin | None:
        if node.op_type not in _FREE | _COPYING or node.domain not in _DOMAINS:
            return None
        data = node.input if node.op_type == "Concat" else node.input[:1]
        moved = [name for name in data if not self._facts.is_constant(name)]
        shape = self._shape(node.output[0])
        if len(moved) != 1 or shape is None or self._facts.types.get(moved[0]) != "FLOAT":
            return None
        before = self.of(moved[0]) or self._itself(moved[0])
        if before is None:
            return None
        if node.op_type in _FREE:
            return before.reshaped(shape)
        if node.op_type == "Transpose":
            perm = attribute_of(node, "perm", list(range(len(shape)))[::-1])
            return before.copied(before.places.transpose(perm))
        if node.op_type == "Slice":
            cut = self._cut(node, len(shape))
            return None if cut is None else before.copied(before.places[cut])
        return self._joined(node, moved[0], before)

    def _itself(self, name: str) -> Origin | None:
        shape = self._shape(name)
        if shape is None:
            return None
        size = math.prod(shape)
        places = np.arange(size, dtype=np.int32).reshape(shape)
        return Origin(name, size, places, np.zeros(0, np.float32))

    def _joined(self, node: onnx.NodeProto, moved: str, before: Origin) -> Origin | None:
        filling, parts = before.filling, []
        for name in node.input:
            if name == moved:
                parts.append(before.places)
                continue
            array = self._facts.array(name)
            if array is None:
                return None
            places, filling = _within(filling, array)
            parts.append(places + np.int32(before.size))
        axis = attribute_of(node, "axis", 0)
        return before.copied(np.concatenate(parts, axis), filling)

    def _cut(self, node: onnx.NodeProto, rank: int) -> tuple[slice, ...] | None:
        given = [self._facts.array(name) for name in node.input[1:]]
        known = [array.reshape(-1).tolist() for array in given if array is not None]
        if len(known) != len(given) or len(known) < 2:  # computed, or attributes of opset 9
            return None
        starts, ends = known[:2]
        axes = known[2] if len(known) > 2 else range(len(starts))
        steps = known[3] if len(known) > 3 else [1] * len(starts)
        cut = [slice(None)] * rank
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
            if step != 1:
                return None
            cut[axis] = slice(start, end)
        return tuple(cut)

    def _shape(self, name: str) -> tuple[int, ...] | None:
        sides = self._facts.shapes.get(name)
        if sides is None or None in sides:
            return None
        return tuple(side for side in sides if side is not None)


def _within(filling: Array, array: Array) -> tuple[Array, Array]:
    """Return where the rows of a constant are in a filling, and that with those it had not."""
    width = int(array.shape[-1])
    rows, which = np.unique(array.reshape(-1, width), axis=0, return_inverse=True)
    starts = np.zeros(len(rows), np.int32)
    for index, row in enumerate(rows.astype(np.float32)):
        known = filling.reshape(-1, width) if filling.size % width == 0 else np.zeros((0, width))
        same = np.flatnonzero((known == row).all(axis=1))
        starts[index] = int(same[0]) * width if same.size else filling.size
        if not same.size:
            filling = np.concatenate([filling, row])
    places = starts[which.reshape(-1)][:, np.newaxis] + np.arange(width, dtype=np.int32)
    return places.reshape(array.shape), filling
