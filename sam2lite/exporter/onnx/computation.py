"""What a model computes, as a digest: equal digests are equal values, and nothing need be run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx


def computation(model: onnx.ModelProto) -> bytes:
    """Return a digest of a model's nodes, constants, inputs and outputs, but not of their names.

    Constant nodes and initializers are the same thing here. Models that compute the same in another
    way have other digests, and so may have those with branches and loops whose values have other
    names.
    """
    graph = model.graph
    known: dict[str, bytes] = {"": b"none"}  # what a value is, whatever it is called
    for tensor in graph.initializer:
        known[tensor.name] = _constant(tensor)
    for index, value in enumerate(graph.input):
        known.setdefault(value.name, f"input {index}".encode())
    total = hashlib.sha256()
    for opset in model.opset_import:
        total.update(opset.SerializeToString(deterministic=True))
    for function in model.functions:
        total.update(function.SerializeToString(deterministic=True))
    count = 0
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            known[node.output[0]] = _constant(node.attribute[0].t)
            continue
        total.update(f"{node.domain} {node.op_type} {len(node.output)}".encode())
        _add(total, (known.get(name, name.encode()) for name in node.input))
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        _add(total, (a.SerializeToString(deterministic=True) for a in attributes))
        for name in node.output:
            known[name] = f"value {count}".encode() if name else b"none"
            count += 1
    for values in (graph.input, graph.output):
        _add(total, (known.get(value.name, b"nothing") for value in values))
        _add(total, (value.type.SerializeToString(deterministic=True) for value in values))
    return total.digest()


def _add(total: hashlib._Hash, parts: Iterable[bytes]) -> None:
    listed = list(parts)
    total.update(repr(listed).encode())


def _constant(tensor: onnx.TensorProto) -> bytes:
    found = hashlib.sha256(f"{tensor.data_type} {list(tensor.dims)}".encode())
    if tensor.HasField("raw_data"):
        found.update(tensor.raw_data)
        return found.digest()
    unnamed = type(tensor)()
    unnamed.CopyFrom(tensor)
    unnamed.ClearField("name")
    found.update(unnamed.SerializeToString(deterministic=True))
    return found.digest()
