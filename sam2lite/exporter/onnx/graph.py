"""One module to one verified graph: trace, passes, parity, metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.exporter.onnx.metadata import GraphMetadata, write_metadata
from sam2lite.exporter.onnx.passes.checked import PassReport
from sam2lite.exporter.onnx.passes.pipeline import run_passes
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of, opset_of, trace
from sam2lite.exporter.verify.parity import ErrorStatistics, graph_parity, require_parity

if TYPE_CHECKING:
    import onnx
    from torch import nn


@dataclass(frozen=True)
class ExportedGraph:
    """A graph, and the numbers that say how far it is from PyTorch.

    Attributes:
        model: the graph, with its weights inside.
        passes: what each pass left behind, in order.
        parity: error of every output, by name.
        opset: version of the default operator set that the model declares.
        nodes: number of nodes.
    """

    model: onnx.ModelProto
    passes: list[PassReport]
    parity: dict[str, ErrorStatistics]
    opset: int
    nodes: int


def export_graph(
    module: nn.Module,
    spec: GraphSpec,
    opset: int,
    *,
    reference: nn.Module,
    metadata: GraphMetadata,
) -> ExportedGraph:
    """Export a module, checking the values after every pass and against PyTorch at the end.

    Args:
        module: what is traced, from the network's `fused()`.
        spec: its bound spec.
        opset: version of the default operator set.
        reference: the same module as it was trained; what parity is measured against.
        metadata: where it comes from.

    Raises:
        ExportError: the module cannot be traced, or a pass failed.
        VerificationError: a pass changed the values, or the graph misses `GRAPH_TOLERANCE`.
    """
    traced = trace(module, spec, opset)
    feeds = feeds_of(spec, example_inputs(spec))
    model, passes = run_passes(traced, spec, feeds)
    parity = graph_parity(reference, model, spec)
    require_parity(parity, f"{spec.key(metadata.rung)} at opset {opset}")
    write_metadata(model, spec, opset, metadata)
    return ExportedGraph(model, passes, parity, opset_of(model), len(model.graph.node))
