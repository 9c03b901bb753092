"""Reading an ONNX model: its graphs within graphs, its inputs, the attributes of a node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and the bodies of its loops and branches, however deep."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_of(attribute.g)


def inputs_of(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs without weights, which old exporters list among them."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def attribute_of(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Return the value of an attribute, or `default` where the node does not have it."""
    import onnx

    for attribute in node.attribute:
        if attribute.name == name:
            value = onnx.helper.get_attribute_value(attribute)
            return value.decode() if isinstance(value, bytes) else value
    return default


def read_by(node: onnx.NodeProto) -> set[str]:
    """Return the names of the values that a node reads, in its bodies too."""
    read = {name for name in node.input if name}
    for attribute in node.attribute:
        if attribute.HasField("g"):
            body = attribute.g
            own = {value.name for value in (*body.input, *body.initializer)}
            own.update(name for inner in body.node for name in inner.output)
            read.update(name for inner in body.node for name in read_by(inner) if name not in own)
    return read


def leading_to(results: Iterable[str], nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Return those of some nodes in order that results are made of."""
    wanted, kept = set(results), []
    for node in reversed(nodes):
        if any(name in wanted for name in node.output):
            kept.append(node)
            wanted |= read_by(node)
    return kept[::-1]
