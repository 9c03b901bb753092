"""Pass `float_image`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.onnx.walk import attribute_of, graphs_of, inputs_of
from sam2lite.exporter.tensorrt.passes.border import forget_types, reread

if TYPE_CHECKING:
    import onnx

# They move values and compute nothing, so that bytes may as well be floats there.
MOVES = {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Identity"}


def float_image(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take images as FLOAT where the graph takes UINT8; the values are still 0 to 255.

    TensorRT 8.2 to 8.4 have no inputs of bytes. The cast to float behind the input goes; before
    it, the image may be turned, cut and reshaped. An input of bytes of which anything else is
    computed is left as it is.

    **Given:**

        %f: float32[1, 3, 480, 480] = Cast(%image: uint8[1, 3, 480, 480])
        %y = Mul(%f, scale)

    **Result:**

        %y = Mul(%image: float32[1, 3, 480, 480], scale)

    Parity: exact.
    """
    from onnx import TensorProto

    for value in inputs_of(model.graph):
        if value.type.tensor_type.elem_type != TensorProto.UINT8:
            continue
        moved = _moved(model, value.name)
        if moved is None:
            continue
        value.type.tensor_type.elem_type = TensorProto.FLOAT
        forget_types(model.graph, moved)
        _drop_casts(model, moved)
    return model


def _moved(model: onnx.ModelProto, image: str) -> set[str] | None:
    """Return the names under which the bytes of an input are found before any cast.

    None if they are computed with, given back, or read inside of a branch or loop.
    """
    names = {image}
    for graph in graphs_of(model.graph):
        for node in graph.node:  # in topological order
            if not names.intersection(node.input) or node.op_type == "Cast":
                continue
            if node.op_type not in MOVES or node.input[0] not in names or graph is not model.graph:
                return None
            names.update(node.output)
    return None if names.intersection(value.name for value in model.graph.output) else names


def _drop_casts(model: onnx.ModelProto, moved: set[str]) -> None:
    """Let what reads a cast of the image to FLOAT read the image."""
    from onnx import TensorProto

    graph = model.graph
    outputs = {value.name for value in graph.output}
    nodes, dropped = [], {}
    for node in graph.node:
        to_float = node.op_type == "Cast" and attribute_of(node, "to", 0) == TensorProto.FLOAT
        if to_float and node.input[0] in moved and node.output[0] not in outputs:
            dropped[node.output[0]] = node.input[0]
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    forget_types(graph, set(dropped))
    for cast, source in dropped.items():
        reread(model, cast, source)
