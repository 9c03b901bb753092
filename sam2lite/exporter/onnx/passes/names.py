"""Pass `names`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

# What the tracer (`onnx::MatMul_75`) and onnxsim (`_v_285`, `285`) call tensors that they made.
NUMBERED = re.compile(r"onnx::\w+|_v_\d+|\d+")


def names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name numbered initializers after the node that reads them first.

    The numbers differ by opset, rung and tool version. Nodes need no new names: the tracer calls
    them by module path and operator, `/layers.0/image_out/MatMul`, which `simplify` leaves alone.

    **Given:**

        %y = MatMul(%x, onnx::MatMul_75), the node's name being /layers.0/image_out/MatMul

    **Result:**

        %y = MatMul(%x, /layers.0/image_out/MatMul:1)

    Parity: exact, nothing is computed.
    """
    graph = model.graph
    numbered = {tensor.name for tensor in graph.initializer if NUMBERED.fullmatch(tensor.name)}
    renamed: dict[str, str] = {}
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name in numbered:
                node.input[index] = renamed.setdefault(name, f"{node.name}:{index}")
    for tensor in graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)
    return model
