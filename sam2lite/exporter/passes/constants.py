"""Pass `constants`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Turn every Constant node into an initializer.

    It comes first because onnxsim merges and removes initializers, but leaves Constant nodes that
    hold the same value apart.

    **Given:**

        %scale = Constant(value=0.25)
        %y = Mul(%x, %scale)

    **Result:**

        scale = initializer(0.25)
        %y = Mul(%x, scale)

    Parity: exact, nothing is computed.
    """
    graph = model.graph
    nodes = []
    for node in graph.node:
        # The tracer writes this one of the operator's forms only.
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = graph.initializer.add()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return model
