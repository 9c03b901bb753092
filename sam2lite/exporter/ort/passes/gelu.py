"""Pass `gelu`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.ort.own_operators import ORT_DOMAIN, import_own_operators
from sam2lite.exporter.ort.passes.rewriting import Rewriting, named

if TYPE_CHECKING:
    import onnx


def gelu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write GELU behind what is dequantized as ONNX Runtime's own operator.

    Up to opset 19 it takes five operators. ONNX Runtime joins them when it opens a graph, but not
    behind a quantized layer: there it gives each of their two readers a DequantizeLinear of its
    own before it looks for them.

    **Given:**

        %x: float32[1, 96, 64, 64] = DequantizeLinear(%q, %scale, %zero)
        %e: float32[1, 96, 64, 64] = Erf(Div(%x, 1.4142135))
        %y: float32[1, 96, 64, 64] = Mul(Mul(%x, Add(%e, 1)), 0.5)

    **Result:**

        %y: float32[1, 96, 64, 64] = com.microsoft.Gelu(%x)

    Parity: to rounding.
    """
    found = _Finder(model).found()
    if found:
        _Gelu(model.graph).rewrite(found)
        import_own_operators(model)
    return model


class _Gelu(Rewriting):
    def rewrite(self, found: dict[str, str]) -> None:
        """Put the operator in the place of what makes a result now, in place."""
        self.replace(
            {
                result: [named("Gelu", [source], result, domain=ORT_DOMAIN)]
                for result, source in found.items()
            }
        )


class _Finder:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._facts = GraphFacts(model, opset_of(model))

    def found(self) -> dict[str, str]:
        """Return the input of every GELU behind a DequantizeLinear, by its result."""
        pairs = {}
        for node in self._graph.node:
            source = self._source(node)
            maker = self._facts.makers.get(source or "")
            if source is not None and maker is not None and maker.op_type == "DequantizeLinear":
                pairs[node.output[0]] = source
        return pairs

    def _source(self, last: onnx.NodeProto) -> str | None:
        """Return what the GELU is of that a node ends; None if it ends none."""
        product = self._scaled(last, "Mul", 0.5)
        if product is None:
            return None
        gate = self._facts.makers.get(product)
        if gate is None or gate.op_type != "Mul":
            return None
        factors: tuple[str, ...] = tuple(gate.input)
        for source, factor in (factors, factors[::-1]):
            shifted = self._scaled(self._facts.makers.get(factor), "Add", 1.0)
            erf = self._facts.makers.get(shifted or "")
            if erf is None or erf.op_type != "Erf":
                continue
            inner = self._facts.makers.get(erf.input[0])
            for operator, number in (("Div", math.sqrt(2)), ("Mul", math.sqrt(0.5))):
                if self._scaled(inner, operator, number) == source:
                    return source
        return None

    def _scaled(self, node: onnx.NodeProto | None, operator: str, number: float) -> str | None:
        """Return what a node combines with a number by an operator; None if it does not."""
        if node is None or node.op_type != operator:
            return None
        pairs: list[tuple[str, ...]] = [tuple(node.input)]
        if operator != "Div":
            pairs.append(tuple(node.input)[::-1])
        for value, constant in pairs:
            array = self._facts.array(constant)
            if array is not None and array.size == 1 and np.isclose(array.item(), number, 1e-6):
                return value
        return None
