"""Pass `int32_border`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.onnx.walk import inputs_of
from sam2lite.exporter.tensorrt.passes.border import forget_types, reread

if TYPE_CHECKING:
    import onnx


def int32_border(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take and give INT32 where the graph takes and gives INT64, and cast inside.

    Before TensorRT 9 the parser does that itself, without a word, and whoever fills the engine's
    buffers by the ONNX file's types writes twice their size.

    **Given:**

        %y: int64[1, 4] = Add(%x: int64[1, 4], one)

    **Result:**

        %x:int64 = Cast(%x: int32[1, 4])
        %y:int64 = Add(%x:int64, one)
        %y: int32[1, 4] = Cast(%y:int64)

    Parity: exact for values that INT32 holds.
    """
    from onnx import TensorProto

    graph = model.graph
    changed = set()
    casts = []
    for value in inputs_of(graph):
        if value.type.tensor_type.elem_type == TensorProto.INT64:
            value.type.tensor_type.elem_type = TensorProto.INT32
            wide = f"{value.name}:int64"
            reread(model, value.name, wide)
            casts.append(_cast(value.name, wide, TensorProto.INT64))
            changed.add(value.name)
    makers = {name: node for node in graph.node for name in node.output}
    nodes = [*casts, *graph.node]
    for value in graph.output:
        if value.type.tensor_type.elem_type != TensorProto.INT64:
            continue
        value.type.tensor_type.elem_type = TensorProto.INT32
        if value.name in changed:  # an input given back as it is
            continue
        wide = f"{value.name}:int64"
        reread(model, value.name, wide)
        if value.name in makers:
            made = makers[value.name].output
            made[:] = [wide if name == value.name else name for name in made]
        for tensor in graph.initializer:
            if tensor.name == value.name:
                tensor.name = wide
        nodes.append(_cast(wide, value.name, TensorProto.INT32))
        changed.add(value.name)
    del graph.node[:]
    graph.node.extend(nodes)
    forget_types(graph, changed)
    return model


def _cast(source: str, result: str, dtype: int) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node("Cast", [source], [result], f"{result}:cast", to=dtype)
