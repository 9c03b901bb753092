"""One module to one verified graph: trace, passes, parity, metadata."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.exporter.onnx.metadata import GraphMetadata, write_metadata
from sam2lite.exporter.onnx.passes.checked import PassReport
from sam2lite.exporter.onnx.passes.contract import in_types, with_types_of
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.onnx.passes.pipeline import run_passes
from sam2lite.exporter.onnx.trace import example_inputs, feeds_of, opset_of, trace
from sam2lite.exporter.verify.parity import (
    ErrorStatistics,
    module_parity,
    onnx_runner,
    own_rounding,
    require_parity,
)

if TYPE_CHECKING:
    import onnx
    from torch import nn


@dataclass(frozen=True)
class ExportedGraph:
    """A graph, and the numbers that say how far it is from PyTorch.

    Attributes:
        model: the graph, with its weights inside.
        spec: its bound spec, in the types that a target's passes left it.
        passes: what each pass left behind, in order.
        parity: error of every output, by name.
        opset: version of the default operator set that the model declares.
        nodes: number of nodes.
    """

    model: onnx.ModelProto
    spec: GraphSpec
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
    target_passes: Sequence[GraphPass] = (),
    skip: Collection[str] = (),
) -> ExportedGraph:
    """Export a module, checking the values after every pass and against PyTorch at the end.

    Args:
        module: what is traced, from the network's `fused()`.
        spec: its bound spec.
        opset: version of the default operator set.
        reference: the same module as it was trained; what parity is measured against.
        metadata: where it comes from.
        target_passes: that the target needs beside the ordinary ones.
        skip: names of passes that do not run.

    Raises:
        ExportError: the module cannot be traced, or a pass failed.
        UnknownNameError: there is no pass of a name in `skip`.
        VerificationError: a pass changed the values, or the graph misses what
            `require_parity` asks for.
    """
    feeds = feeds_of(spec, example_inputs(spec))
    model, passes = run_passes(trace(module, spec, opset), spec, feeds, target_passes, skip)
    taken = with_types_of(model, spec)
    run = onnx_runner(model)
    parity = module_parity(reference, lambda given: run(in_types(given, taken)), spec)
    where = f"{spec.key(metadata.rung)} at opset {opset}"
    require_parity(parity, where, lambda: own_rounding(reference, spec))
    write_metadata(model, taken, opset, metadata)
    return ExportedGraph(model, taken, passes, parity, opset_of(model), len(model.graph.node))
