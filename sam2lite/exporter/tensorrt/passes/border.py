"""Changing the type of a graph's inputs and outputs while they keep their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.onnx.walk import graphs_of

if TYPE_CHECKING:
    import onnx


def reread(model: onnx.ModelProto, name: str, instead: str) -> None:
    """Let every node, in branches and loops, too, read another value than the one of a name."""
    for graph in graphs_of(model.graph):
        for node in graph.node:
            node.input[:] = [instead if given == name else given for given in node.input]


def forget_types(graph: onnx.GraphProto, names: set[str]) -> None:
    """Drop what is written down about values whose type has changed."""
    kept = [value for value in graph.value_info if value.name not in names]
    del graph.value_info[:]
    graph.value_info.extend(kept)
