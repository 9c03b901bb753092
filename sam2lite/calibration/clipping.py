"""ReLU that quantizing does by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def drop_relus(model: onnx.ModelProto) -> None:
    """Take out every ReLU that is only read by QuantizeLinear whose codes begin at 0; in place.

    Codes below the first do not exist, so that what is negative becomes 0, which is exact. It is
    not only a pass less: ONNX Runtime fuses a Gemm and its ReLU to one operator in float before it
    looks for Q/DQ, and computes the layer in float.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def clips(node: onnx.NodeProto) -> bool:
        zero = constants.get(node.input[2]) if len(node.input) > 2 else None
        if node.op_type != "QuantizeLinear" or zero is None:
            return False
        codes = numpy_helper.to_array(zero)
        return codes.dtype.kind == "u" and not codes.any()

    results = {value.name for value in graph.output}
    kept = []
    for node in graph.node:
        users = readers.get(node.output[0], [])
        if (
            node.op_type != "Relu"
            or node.output[0] in results
            or not users
            or not all(clips(user) for user in users)
        ):
            kept.append(node)
            continue
        for user in users:
            user.input[0] = node.input[0]
            readers.setdefault(node.input[0], []).append(user)
    del graph.node[:]
    graph.node.extend(kept)
