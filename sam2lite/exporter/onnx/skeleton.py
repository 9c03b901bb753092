"""A model without its large weights: enough to ask for types, shapes and forms, at little cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

# Shapes, axes and scales are below it; they are looked at. Kernels and tables are not.
LARGEST_VALUES = 4096


def skeleton(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy in which a large weight is declared, and has no values.

    ONNX's shape inference copies what it is given more than once.
    """
    import onnx

    small = onnx.ModelProto()
    small.opset_import.extend(model.opset_import)
    small.functions.extend(model.functions)
    small.ir_version = max(model.ir_version, 4)  # weights need not be inputs
    graph = small.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    listed = {value.name for value in graph.input}
    for tensor in model.graph.initializer:
        elements = 1
        for side in tensor.dims:
            elements *= side
        if elements <= LARGEST_VALUES:
            graph.initializer.append(tensor)
        elif tensor.name not in listed:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return small


def inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a skeleton with every type and shape that ONNX can infer; as it is where it cannot."""
    import onnx

    small = skeleton(model)
    try:
        return onnx.shape_inference.infer_shapes(small, data_prop=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError):
        return small
