"""Pass `attention`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.ort.own_operators import ORT_DOMAIN, import_own_operators
from sam2lite.exporter.ort.passes.attended import Attended, attended_in
from sam2lite.exporter.ort.passes.rewriting import Rewriting, named

if TYPE_CHECKING:
    import onnx


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
        _Attention(model.graph).rewrite(found)
        import_own_operators(model)
    return model


class _Attention(Rewriting):
    def rewrite(self, found: list[Attended]) -> None:
        """Put the operator in the place of what makes a result now, in place."""
        self.replace({each.result: self._nodes(each) for each in found})

    def _nodes(self, each: Attended) -> list[onnx.NodeProto]:
        query, key, place = each.query, each.key, each.result
        nodes, channel = [], 0
        if each.bias is not None:
            query, key, column, channel = f"{place}:q1", f"{place}:k1", f"{place}:bias", 1
            ones = self.constant(np.ones((each.queries, 1), np.float32), f"{place}:ones")
            nodes = [
                named("Concat", [each.query, ones], query, axis=1),
                self.reshape(each.bias, column, (each.keys, 1)),
                named("Concat", [each.key, column], key, axis=1),
            ]
        sides = {
            "q": (query, (1, each.queries, each.key_channels + channel)),
            "k": (key, (1, each.keys, each.key_channels + channel)),
            "v": (each.value, (1, each.keys, each.value_channels)),
        }
        nodes += [self.reshape(name, f"{place}:{at}", shape) for at, (name, shape) in sides.items()]
        inputs = [f"{place}:{at}" for at in sides]
        whole = f"{place}:attended"
        operator = named(
            "MultiHeadAttention",
            inputs,
            whole,
            domain=ORT_DOMAIN,
            num_heads=each.heads,
            scale=1.0,
        )
        return [*nodes, operator, self.reshape(whole, place, each.shape)]
