"""Pass `rows_beside`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.trace import opset_of
from sam2lite.exporter.onnx.walk import attribute_of

if TYPE_CHECKING:
    import onnx


def rows_beside(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write constant rows that are joined to others, and then quantized, as a sum.

    OpenVINO moves the quantization to either side of the Concat, folds that of the constant rows,
    and is left with a scale for each row, which its own INT8 matrix products then refuse (2026.4:
    the graph cannot be loaded).

    **Given:**

        %a: float32[5, 8] = Concat(%constant, %x, axis=0)
        %b: uint8[5, 8] = QuantizeLinear(%a, scale, zero_point)

    **Result:**

        %a: float32[5, 8] = Add(Pad(%x), %constant filled up with zeros)
        %b: uint8[5, 8] = QuantizeLinear(%a, scale, zero_point)

    Parity: exact; zeros are added.
    """
    graph = model.graph
    facts = GraphFacts(model, opset_of(model))
    quantized = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        joins = node.op_type == "Concat" and node.output[0] in quantized
        nodes += (joins and _as_sum(graph, facts, node)) or [node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _as_sum(
    graph: onnx.GraphProto, facts: GraphFacts, concat: onnx.NodeProto
) -> list[onnx.NodeProto]:
    """Return the nodes of the sum; none where a Concat is not of rows, one part of them given."""
    from onnx import helper, numpy_helper

    parts = [_constant(facts, name) for name in concat.input]
    given = [name for name, part in zip(concat.input, parts, strict=True) if part is None]
    shape = facts.shapes.get(given[0]) if len(given) == 1 else None
    if attribute_of(concat, "axis", 0) != 0 or len(parts) == 1 or shape is None or None in shape:
        return []
    sides = [int(side or 0) for side in shape]
    at = list(concat.input).index(given[0])
    filled = [np.zeros(sides, np.float32) if part is None else part for part in parts]
    pads = np.zeros((2, len(sides)), np.int64)
    pads[:, 0] = [sum(map(len, side)) for side in (filled[:at], filled[at + 1 :])]
    joined = concat.output[0]
    beside, room, padded = (f"{joined}:{word}" for word in ("beside", "room", "padded"))
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.concatenate(filled), beside),
            numpy_helper.from_array(pads.ravel(), room),
        ]
    )
    return [
        helper.make_node("Pad", [given[0], room], [padded], padded),
        helper.make_node("Add", [padded, beside], [joined], concat.name),
    ]


def _constant(facts: GraphFacts, name: str) -> np.ndarray[Any, Any] | None:
    """Return the values of a constant in FP32, also of one that is stored in FP16."""
    maker = facts.makers.get(name)
    is_cast = maker is not None and maker.op_type == "Cast"
    found = facts.array(maker.input[0] if maker is not None and is_cast else name)
    return None if found is None or found.dtype.kind != "f" else found.astype(np.float32)
