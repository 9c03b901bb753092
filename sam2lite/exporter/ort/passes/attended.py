"""Where a graph attends: queries and keys, their scores' softmax, values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sam2lite.exporter.onnx.walk import attribute_of

if TYPE_CHECKING:
    import onnx

    from sam2lite.exporter.onnx.graph_facts import GraphFacts

# Fewer scores of a head stay in the caches as they are, and nothing is won.
LEAST_SCORES = 1 << 20
_RANK_OF_ROWS, _RANK_OF_HEADS = 2, 4
_OF_A_GEMM = {"transA": 0, "transB": 0, "alpha": 1.0, "beta": 1.0}  # where it does not say
_PRODUCT_OF_ROWS = {**_OF_A_GEMM, "transB": 1}
# Of what has heads: tokens in front of them, or behind.
_HEADS_FIRST, _KEYS_TURNED = [0, 2, 1, 3], [0, 2, 3, 1]


@dataclass(frozen=True)
class Attended:
    """One attention, of names of values that hold all heads of a token in a row.

    Attributes:
        query: `[queries, key_channels]` in any shape.
        key: `[keys, key_channels]`.
        value: `[keys, value_channels]`.
        bias: `[keys]`, added to what a key scores; None where nothing is.
        heads: into which the channels fall.
        queries: how many.
        keys: how many.
        key_channels: of all heads.
        value_channels: of all heads.
        result: what is made, in `shape`.
        shape: of the result.
    """

    query: str
    key: str
    value: str
    bias: str | None
    heads: int
    queries: int
    keys: int
    key_channels: int
    value_channels: int
    result: str
    shape: tuple[int, ...]


def attended_in(graph: onnx.GraphProto, facts: GraphFacts) -> list[Attended]:
    """Return every attention of a graph that has `LEAST_SCORES`."""
    finder = _Finder(graph, facts)
    found = [each for node in graph.node if (each := finder.at(node)) is not None]
    joined = finder.joined(found)
    return [each for each in joined if each.queries * each.keys >= LEAST_SCORES]


class _Finder:
    def __init__(self, graph: onnx.GraphProto, facts: GraphFacts) -> None:
        self._facts = facts
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._results = {value.name for value in graph.output}

    def at(self, node: onnx.NodeProto) -> Attended | None:
        """Return the attention whose softmax a node is; None if it is not, or of another form."""
        if node.op_type != "Softmax":
            return None
        scores, rank = self._facts.makers.get(node.input[0]), self._facts.rank(node.output[0])
        if scores is None or attribute_of(node, "axis", -1) not in (-1, (rank or 0) - 1):
            return None
        product = self._only_reader(node.output[0])
        if self._only_reader(scores.output[0]) is None or product is None:
            return None
        if product.op_type != "MatMul" or product.input[0] != node.output[0]:
            return None
        if rank == _RANK_OF_ROWS:
            return self._of_rows(scores, product)
        return self._of_heads(scores, product) if rank == _RANK_OF_HEADS else None

    def joined(self, found: list[Attended]) -> list[Attended]:
        """Take queries together that a Split parted, where a Concat puts the results together."""
        made = {each.result: each for each in found}
        joined: dict[str, Attended] = {}
        for each in found:
            whole = self._whole(each, made) or each
            joined[whole.result] = whole
        return list(joined.values())

    def _whole(self, part: Attended, made: dict[str, Attended]) -> Attended | None:
        split, concat = self._facts.makers.get(part.query), self._only_reader(part.result)
        if split is None or concat is None or split.op_type != "Split":
            return None
        parts = [made.get(name) for name in concat.input]
        alike = [
            each is not None
            and (each.key, each.value, each.bias) == (part.key, part.value, part.bias)
            for each in parts
        ]
        queries = [each.query for each in parts if each is not None]
        along_rows = attribute_of(split, "axis", 0) == 0 == attribute_of(concat, "axis", None)
        if concat.op_type != "Concat" or not along_rows or not all(alike):
            return None
        if queries != list(split.output) or len(part.shape) != 2:
            return None
        count = sum(each.queries for each in parts if each is not None)
        return replace(
            part,
            query=split.input[0],
            queries=count,
            result=concat.output[0],
            shape=(count, part.shape[1]),
        )

    def _of_rows(self, scores: onnx.NodeProto, product: onnx.NodeProto) -> Attended | None:
        """Return attention of one head, of rows."""
        if scores.op_type == "Gemm":
            found = {name: attribute_of(scores, name, v) for name, v in _OF_A_GEMM.items()}
            if found != _PRODUCT_OF_ROWS:
                return None
            key: str | None = scores.input[1]
            bias = scores.input[2] if len(scores.input) == 3 else None
        elif scores.op_type == "MatMul":
            key, bias = self._before_transpose(scores.input[1], [1, 0]), None
        else:
            return None
        query, value = scores.input[0], product.input[1]
        sides = [self._shape(name) for name in (query, key, value)]
        if key is None or any(side is None or len(side) != 2 for side in sides):
            return None
        (queries, channels), (keys, _), (_, values) = (side for side in sides if side)
        if bias is not None and self._shape(bias) not in ((keys,), (1, keys)):
            return None
        result = product.output[0]
        return Attended(
            query, key, value, bias, 1, queries, keys, channels, values, result, (queries, values)
        )

    def _of_heads(self, scores: onnx.NodeProto, product: onnx.NodeProto) -> Attended | None:
        """Return attention of several heads, whose tokens lie in rows before and after it."""
        turned = self._only_reader(product.output[0])
        if scores.op_type != "MatMul" or turned is None or turned.op_type != "Transpose":
            return None
        query = self._before_transpose(scores.input[0], _HEADS_FIRST)
        key = self._before_transpose(scores.input[1], _KEYS_TURNED)
        value = self._before_transpose(product.input[1], _HEADS_FIRST)
        if attribute_of(turned, "perm", None) != _HEADS_FIRST:
            return None
        sides = [self._shape(name) for name in (query, key, value)]
        if query is None or key is None or value is None or None in sides:
            return None
        (one, queries, heads, channels), (_, keys, _, _), (*_, values) = (s for s in sides if s)
        if one != 1:
            return None
        return Attended(
            query,
            key,
            value,
            None,
            heads,
            queries,
            keys,
            heads * channels,
            heads * values,
            turned.output[0],
            (1, queries, heads, values),
        )

    def _before_transpose(self, name: str, perm: list[int]) -> str | None:
        maker = self._facts.makers.get(name)
        if maker is None or maker.op_type != "Transpose":
            return None
        turned_round = list(reversed(range(len(perm))))
        return maker.input[0] if attribute_of(maker, "perm", turned_round) == perm else None

    def _only_reader(self, name: str) -> onnx.NodeProto | None:
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self._results else None

    def _shape(self, name: str | None) -> tuple[int, ...] | None:
        shape = self._facts.shapes.get(name or "")
        return None if shape is None else tuple(side or 0 for side in shape)
