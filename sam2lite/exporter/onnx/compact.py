"""Smaller files: what names and repetitions cost a graph of many small nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.onnx.weights import THRESHOLD_BYTES

if TYPE_CHECKING:
    import onnx


def compact(model: onnx.ModelProto) -> None:
    """Merge equal small constants, number the values between nodes and drop their shapes, in place.

    Nodes, weights, inputs and outputs keep their names; nothing that is computed changes.
    """
    from onnx import numpy_helper

    graph = model.graph
    del graph.value_info[:]
    renamed: dict[str, str] = {}
    seen: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    kept = []
    for tensor in graph.initializer:
        if not tensor.raw_data:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
        content = (tensor.data_type, tuple(tensor.dims), tensor.raw_data)
        if len(tensor.raw_data) >= THRESHOLD_BYTES:  # goes to the file of weights, by its name
            kept.append(tensor)
        elif content in seen:
            renamed[tensor.name] = seen[content]
        else:
            renamed[tensor.name] = seen[content] = f"c{len(seen)}"
            tensor.name = seen[content]
            kept.append(tensor)
    del graph.initializer[:]
    graph.initializer.extend(kept)
    fixed = {value.name for value in (*graph.input, *graph.output)}
    between = [name for node in graph.node for name in node.output if name and name not in fixed]
    renamed.update({name: f"v{index}" for index, name in enumerate(between)})
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
