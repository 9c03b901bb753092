"""The element types of all values of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.skeleton import skeleton

if TYPE_CHECKING:
    import onnx


def value_types(model: onnx.ModelProto) -> dict[str, int]:
    """Return ONNX's number of the type of every input, constant and result, by name.

    Raises:
        ExportError: a type contradicts another, or cannot be told.
    """
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(skeleton(model), strict_mode=True).graph
    except onnx.shape_inference.InferenceError as error:
        raise ExportError(f"the types of graph {model.graph.name} contradict: {error}") from error
    types = {t.name: t.data_type for t in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        types[value.name] = value.type.tensor_type.elem_type
    for node in graph.node:
        for name in node.output:
            if name and not types.get(name):
                raise ExportError(
                    f"cannot tell the type of {name}, which {node.op_type} '{node.name}' makes; "
                    "use an operator that ONNX infers types of"
                )
    return types
