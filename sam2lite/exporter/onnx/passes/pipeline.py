"""Run the graph passes in order, checking after each that nothing visible changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from sam2lite.contracts.tensors import GraphSpec
from sam2lite.exporter.onnx.passes.checked import PassReport
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.contract import require_contract
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass, without
from sam2lite.exporter.onnx.passes.names import names
from sam2lite.exporter.onnx.passes.rows import rows
from sam2lite.exporter.onnx.passes.runner import PassRunner
from sam2lite.exporter.onnx.passes.shapes import shapes
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.onnx.passes.static import static
from sam2lite.exporter.verify.selection import Arrays

if TYPE_CHECKING:
    import onnx

# A pass may change its argument, and returns the model to go on with.
PASSES: tuple[Callable[[onnx.ModelProto], onnx.ModelProto], ...] = (
    constants,
    simplify,
    names,
    rows,
    shapes,
    static,
)
REGISTRY = {apply.__name__: apply for apply in PASSES}
# Rewrites look for constants, and what they leave behind is named, put in rows and checked as well.
TARGET_PASSES_AFTER = "simplify"


def run_passes(
    traced: onnx.ModelProto,
    spec: GraphSpec,
    feeds: Arrays,
    target_passes: Sequence[GraphPass] = (),
    skip: Collection[str] = (),
) -> tuple[onnx.ModelProto, list[PassReport]]:
    """Return the graph after every pass, and what each of them did to the values.

    Values are those that onnxruntime computes from `feeds` with its own graph optimisations off,
    so that the nodes which stand there are the nodes which run.

    Args:
        traced: the graph; it is changed, and of no use afterwards.
        spec: its bound spec.
        feeds: its inputs, by name.
        target_passes: what a target's parser needs beside. One that finds nothing to change leaves
            no trace in the graph and no report.
        skip: names of passes that do not run.

    Raises:
        ExportError: a pass failed, or changed an input or output of the graph.
        UnknownNameError: there is no pass of a name in `skip`.
        VerificationError: a pass changed a value by more than `GRAPH_TOLERANCE`.
    """
    require_contract(traced, spec, after="the trace")
    runner = PassRunner(traced, feeds, spec)
    del traced  # of large networks there is no room for two
    reports: list[PassReport] = []
    for step in without(steps_with(target_passes), skip):
        report = runner.apply(step) if step.name in REGISTRY else runner.rewrite(step)
        if report is not None:
            reports.append(report)
    return runner.model, reports


def steps_with(target_passes: Sequence[GraphPass]) -> list[GraphPass]:
    """Return all passes in order, those of a target where they belong."""
    steps = []
    for name, apply in REGISTRY.items():
        steps.append(GraphPass(name, apply))
        if name == TARGET_PASSES_AFTER:
            steps += target_passes
    return steps
