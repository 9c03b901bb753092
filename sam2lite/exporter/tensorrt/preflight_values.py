"""Finding, in a graph, the types and values that TensorRT's parser does not take."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sam2lite.exporter.onnx.graph_facts import GraphFacts
from sam2lite.exporter.onnx.walk import attribute_of, graphs_of
from sam2lite.targets.tensorrt.attributes import AttributeLimit, attribute_limits_of
from sam2lite.targets.tensorrt.limits import Version
from sam2lite.targets.tensorrt.types import (
    BYTE_USES,
    BYTES_SINCE,
    INT64_SINCE,
    TYPE_REMEDY,
    VALUE_TYPES,
    first_version_with,
    has_type,
    refuses,
    type_limits_of,
)

if TYPE_CHECKING:
    import onnx

FLOATS = ("FLOAT", "FLOAT16")
QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")
INT32 = np.iinfo(np.int32)
# Where these are read, what is too large means "to the end", before and after it is cut to 32 bits.
TO_THE_END = {"Slice": (1, 2)}


class OddType(NamedTuple):
    """A type that a version does not take at a node.

    Attributes:
        subject: operator and type, or the type alone.
        why: what the parser does or asks for.
        first: the first version that takes it; None where none is known to.
        remedy: what to change.
    """

    subject: str
    why: str
    first: Version | None
    remedy: str


def odd_types(
    node: onnx.NodeProto, facts: GraphFacts, version: Version, border: Collection[str]
) -> Iterator[OddType]:
    """Yield the types of a node that a version does not take, each once.

    Args:
        node: of an operator that the version takes.
        facts: of its model.
        version: of TensorRT.
        border: names of the graph's inputs and outputs, whose types are looked at elsewhere.
    """
    said = set()
    for index, name in enumerate(node.input):
        kind = facts.types.get(name)
        if kind is None or kind in said:
            continue
        if any(
            refuses(limit, kind, index, version) for limit in type_limits_of(node.op_type, version)
        ):
            said.add(kind)
            yield OddType(
                f"{node.op_type} of {kind}",
                "the parser does not take this type of input",
                first_version_with(node.op_type, kind, index, version),
                TYPE_REMEDY,
            )
    yield from _unknown_types(node, facts, version, border)
    if version >= BYTES_SINCE and _is_byte_use(node, facts):
        yield OddType("UINT8", BYTE_USES, None, "cast the image to float32 first")


def _unknown_types(
    node: onnx.NodeProto, facts: GraphFacts, version: Version, border: Collection[str]
) -> Iterator[OddType]:
    if node.op_type in QUANTIZERS:
        return  # their limits speak of the types between them
    given = {facts.types.get(name) for name in node.input if facts.constant(name) is None}
    inside = [name for name in (*node.input, *node.output) if name and name not in border]
    # Said where a type comes into the graph, and not at every node that passes it on.
    for kind in sorted({facts.types[name] for name in inside if name in facts.types} - given):
        # Bytes that are constants were made INT32 by the parsers that had no bytes.
        constant_bytes = kind == "UINT8" and all(
            facts.types.get(name) != kind for name in node.output
        )
        if not has_type(kind, version) and not constant_bytes:
            yield OddType(
                kind,
                "the parser has no type for it",
                VALUE_TYPES.get(kind),
                "use float32, int32 or bool",
            )


def _is_byte_use(node: onnx.NodeProto, facts: GraphFacts) -> bool:
    read = "UINT8" in [facts.types.get(name) for name in node.input if facts.constant(name) is None]
    made = "UINT8" in [facts.types.get(name) for name in node.output]
    if not (read or made) or node.op_type in QUANTIZERS:
        return False
    other = node.output if read else node.input
    return node.op_type != "Cast" or facts.types.get(other[0]) not in FLOATS


def attribute_limits(
    node: onnx.NodeProto, version: Version
) -> Iterator[tuple[AttributeLimit, Any]]:
    """Yield the attributes of a node whose value a version does not take, and the value."""
    for limit in attribute_limits_of(node.op_type, version):
        value = attribute_of(node, limit.attribute, limit.default)
        values = value if isinstance(value, list) else [value]
        if any(part not in limit.taken for part in values):
            yield limit, value


def large_constants(model: onnx.ModelProto, version: Version) -> Iterator[tuple[str, int]]:
    """Yield name and value of constants that change when a version makes them 32 bits wide.

    The ends of a Slice may be as far away as they like: exporters write the largest number there
    is for "to the end", and that means the same in 32 bits.
    """
    import onnx

    if version >= INT64_SINCE:
        return
    harmless = _read_as_ends(model)
    for graph in graphs_of(model.graph):
        named = [(tensor.name, tensor) for tensor in graph.initializer]
        for node in graph.node:
            if node.op_type == "Constant":
                named += [(node.output[0], a.t) for a in node.attribute if a.name == "value"]
        for name, tensor in named:
            external = tensor.data_location == onnx.TensorProto.EXTERNAL
            if tensor.data_type != onnx.TensorProto.INT64 or external or name in harmless:
                continue
            values = onnx.numpy_helper.to_array(tensor)
            beyond = values[(values < INT32.min) | (values > INT32.max)]
            if beyond.size:
                yield name, int(beyond.reshape(-1)[0])


def _read_as_ends(model: onnx.ModelProto) -> set[str]:
    """Return the names that are read as the starts and ends of slices, and as nothing else."""
    ends: set[str] = set()
    others: set[str] = {value.name for value in model.graph.output}
    for graph in graphs_of(model.graph):
        for node in graph.node:
            for index, name in enumerate(node.input):
                (ends if index in TO_THE_END.get(node.op_type, ()) else others).add(name)
    return ends - others
