"""Pass `constants`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

# The operator's other forms: a number or a list of them. Text and sparse tensors are left.
_DTYPES = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


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
        tensor = _value(node) if node.op_type == "Constant" else None
        if tensor is None:
            nodes.append(node)
        else:
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _value(node: onnx.NodeProto) -> onnx.TensorProto | None:
    from onnx import helper, numpy_helper

    attribute = node.attribute[0]
    tensor: onnx.TensorProto | None = None
    if attribute.name == "value":
        tensor = attribute.t
    elif attribute.name in _DTYPES:
        values = np.array(helper.get_attribute_value(attribute), _DTYPES[attribute.name])
        tensor = numpy_helper.from_array(values)
    return tensor
