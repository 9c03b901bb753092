"""Sizes inside a graph that depend on what an input holds, and not on its shape alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from sam2lite.exporter.onnx.walk import inputs_of

if TYPE_CHECKING:
    import onnx

# Which inputs of an operator say how large its output is.
SIZES: Mapping[str, tuple[int, ...]] = {
    "CenterCropPad": (1,),
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "MaxUnpool": (2,),
    "NonMaxSuppression": (2,),
    "OneHot": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
# How large the output of these is depends on what they are given, whatever its shape.
BY_VALUE = ("Compress", "NonMaxSuppression", "NonZero", "Unique")
# These ask for the shape of what they are given, not for its values; shapes are static.
OF_SHAPES = ("Shape", "Size", "ConstantOfShape", "EyeLike", "RandomNormalLike", "RandomUniformLike")


class ValueSize(NamedTuple):
    """A node whose output has a size that an input's values decide.

    Attributes:
        where: name of the node, or of its first output.
        operator: of the node.
        source: name of the graph's input.
    """

    where: str
    operator: str
    source: str


def value_sizes(graph: onnx.GraphProto) -> Iterator[ValueSize]:
    """Yield the nodes of a graph, in branches and loops, too, whose sizes an input decides."""
    sources = {value.name: value.name for value in inputs_of(graph)}
    yield from _walk(graph, sources)


def _walk(graph: onnx.GraphProto, sources: dict[str, str]) -> Iterator[ValueSize]:
    """Follow values from node to node; `sources` grows by what depends on them."""
    for node in graph.node:
        where = node.name or next(iter(node.output), node.op_type)
        if not node.domain:
            deciding = [node.input[i] for i in SIZES.get(node.op_type, ()) if i < len(node.input)]
            if node.op_type in BY_VALUE:
                deciding += node.input[:1]
            if node.op_type == "Resize" and len(node.input) > 2:
                deciding = list(node.input[2:])  # the second is the region, since opset 11
            source = next((sources[name] for name in deciding if name in sources), None)
            if source is not None:
                yield ValueSize(where, node.op_type, source)
        carried = next((sources[name] for name in node.input if name in sources), None)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                inner = dict(sources)
                for outside, inside in zip(_into_body(node), attribute.g.input, strict=False):
                    if outside in sources:
                        inner[inside.name] = sources[outside]
                yield from _walk(attribute.g, inner)
                results = (inner.get(value.name) for value in attribute.g.output)
                carried = carried or next((name for name in results if name), None)
        if carried and node.op_type not in OF_SHAPES:
            sources.update(dict.fromkeys(filter(None, node.output), carried))


def _into_body(node: onnx.NodeProto) -> list[str]:
    """Return what the inputs of a loop's body are given, in their order."""
    if node.op_type == "Loop":  # the number of the iteration and the condition come first
        return ["", *node.input[1:]]
    return list(node.input) if node.op_type == "Scan" else []
