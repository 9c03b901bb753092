"""Pass `attention`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import leading_to
from sam2lite.exporter.ort.passes.attended import Attended, attended_in

if TYPE_CHECKING:
    import onnx

ORT_DOMAIN = "com.microsoft"


def attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write large attention as ONNX Runtime's own operator, which never holds all scores.

    It goes over the keys in blocks that stay in the cache (FlashAttention, Dao et al. 2022), where
    a product, a softmax and a product each write all scores to memory and read them again. It does
    so without a bias alone; one that is added to what a key scores becomes a channel of the key,
    which the query has a 1 for.

    **Given:**

        %s: float32[4096, 28736] = Gemm(%q, %k, %bias, transB=1)
        %y: float32[4096, 64] = MatMul(Softmax(%s), %v)

    **Result:**

        %q1: float32[4096, 257] = Concat(%q, ones)
        %k1: float32[28736, 257] = Concat(%k, %bias)
        %y: float32[4096, 64] = com.microsoft.MultiHeadAttention(%q1, %k1, %v)

    Queries that were taken some at a time are taken together again.

    Parity: to rounding; sums are taken in another order.
    """
    found = attended_in(model.graph, GraphFacts(model, opset_of(model)))
    if found:
        _Rewriting(model.graph).rewrite(found)
        if all(entry.domain != ORT_DOMAIN for entry in model.opset_import):
            model.opset_import.add(domain=ORT_DOMAIN, version=1)
    return model


class _Rewriting:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._constants: dict[bytes, str] = {}

    def rewrite(self, found: list[Attended]) -> None:
        """Put the operator in the place of what makes a result now, in place."""
        made = {each.result: each for each in found}
        nodes: list[onnx.NodeProto] = []
        for node in self._graph.node:
            each = made.get(node.output[0])
            nodes += [node] if each is None else self._nodes(each)
        results = {value.name for value in self._graph.output}
        kept = leading_to(results, nodes)
        used = results.union(*(node.input for node in kept))
        initializers = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.node[:]
        del self._graph.initializer[:]
        self._graph.node.extend(kept)
        self._graph.initializer.extend(initializers)

    def _nodes(self, each: Attended) -> list[onnx.NodeProto]:
        query, key, place = each.query, each.key, each.result
        nodes, channel = [], 0
        if each.bias is not None:
            query, key, column, channel = f"{place}:q1", f"{place}:k1", f"{place}:bias", 1
            ones = self._constant(np.ones((each.queries, 1), np.float32), f"{place}:ones")
            nodes = [
                _node("Concat", [each.query, ones], query, axis=1),
                self._reshape(each.bias, column, (each.keys, 1)),
                _node("Concat", [each.key, column], key, axis=1),
            ]
        sides = {
            "q": (query, (1, each.queries, each.key_channels + channel)),
            "k": (key, (1, each.keys, each.key_channels + channel)),
            "v": (each.value, (1, each.keys, each.value_channels)),
        }
        nodes += [
            self._reshape(name, f"{place}:{at}", shape) for at, (name, shape) in sides.items()
        ]
        inputs = [f"{place}:{at}" for at in sides]
        whole = f"{place}:attended"
        operator = _node(
            "MultiHeadAttention",
            inputs,
            whole,
            domain=ORT_DOMAIN,
            num_heads=each.heads,
            scale=1.0,
        )
        return [*nodes, operator, self._reshape(whole, place, each.shape)]

    def _reshape(self, source: str, result: str, shape: tuple[int, ...]) -> onnx.NodeProto:
        sides = self._constant(np.array(shape, np.int64), f"{result}:sides")
        return _node("Reshape", [source, sides], result)

    def _constant(self, array: np.ndarray[Any, Any], name: str) -> str:
        """Return the name of a constant, which equal ones share."""
        from onnx import numpy_helper

        key = str((array.dtype, array.shape)).encode() + array.tobytes()
        if key not in self._constants:
            self._constants[key] = name
            self._graph.initializer.append(numpy_helper.from_array(array, name))
        return self._constants[key]


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node(operator, inputs, [output], f"{output}/{operator}", **attributes)
