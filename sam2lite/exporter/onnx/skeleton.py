"""A model without its large weights: enough to ask for types, shapes and forms, at little cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

# Shapes, axes and scales are below it; they are looked at. Kernels and tables are not.
LARGEST_VALUES = 4096
LARGE_BYTES = 1 << 20  # of a weight that is handed to ONNX Runtime and not copied through a file


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


def without_weights(model: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Return a copy whose large weights stand beside it, and those weights, by name.

    The copy says of them that they are external data; whoever runs it must be given them.
    """
    import onnx

    light = _copy_without(model, "graph")
    light.graph.CopyFrom(_copy_without(model.graph, "initializer"))
    weights = {}
    for tensor in model.graph.initializer:
        data = tensor.raw_data
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if len(data) < LARGE_BYTES or np.dtype(dtype).kind not in "fiu":
            light.graph.initializer.append(tensor)
            continue
        weights[tensor.name] = np.frombuffer(data, dtype).reshape(tensor.dims)
        beside = light.graph.initializer.add(
            name=tensor.name,
            data_type=tensor.data_type,
            dims=tensor.dims,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        beside.external_data.add(key="location", value="memory")
    return light, weights


def _copy_without(message: Any, left_out: str) -> Any:
    copy = type(message)()
    for field, value in message.ListFields():
        if field.name == left_out:
            continue
        mine = getattr(copy, field.name)
        if hasattr(mine, "extend"):
            mine.extend(value)
        elif hasattr(mine, "CopyFrom"):
            mine.CopyFrom(value)
        else:
            setattr(copy, field.name, value)
    return copy


def check_model(model: onnx.ModelProto) -> None:
    """Check a model against the standard as ONNX's checker does, large weights one by one.

    Raises:
        onnx.checker.ValidationError: it is not valid.
    """
    import onnx

    small = skeleton(model)
    onnx.checker.check_model(small)
    looked_at = {tensor.name for tensor in small.graph.initializer}
    for tensor in model.graph.initializer:
        if tensor.name not in looked_at:
            onnx.checker.check_tensor(tensor)


def inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a skeleton with every type and shape that ONNX can infer; as it is where it cannot."""
    import onnx

    small = skeleton(model)
    try:
        return onnx.shape_inference.infer_shapes(small, data_prop=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError):
        return small
