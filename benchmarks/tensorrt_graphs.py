"""Would every TensorRT of every target take every graph, and is it still PyTorch's? Prints a table.

Each graph is exported as for the target (float32 image, the opset of its TensorRT), compared with
PyTorch in onnxruntime, and held against the tables of what the parser takes. Weights are random.
Exit code 3 if a graph is not taken, or further away than the tolerance.

    .venv/bin/python benchmarks/tensorrt_graphs.py
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass, field

from graph_parity import network
from rich.console import Console
from rich.table import Table

from sam2lite.cli.app import run_app
from sam2lite.contracts.families.sam2lite import FAMILY, MEMORY_SELECT, RUNGS
from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.graph import export_graph
from sam2lite.exporter.onnx.metadata import GraphMetadata
from sam2lite.exporter.tensorrt.preflight import preflight
from sam2lite.models.sam2lite.config import SIZES
from sam2lite.targets.registry import list_targets
from sam2lite.targets.releases import tensorrts_of
from sam2lite.targets.tensorrt.ops import export_opset, read_version


@dataclass
class Found:
    """What was found about one TensorRT: targets that have it, graphs held against it."""

    targets: set[str] = field(default_factory=set)
    graphs: int = 0
    findings: list[str] = field(default_factory=list)
    worst: float = 0.0


def versions() -> dict[str, Found]:
    """Return every version of TensorRT that a target can have, with the targets' ids."""
    found: dict[str, Found] = defaultdict(Found)
    for target in list_targets():
        if target.tensorrt is None:
            continue
        listed = set(target.tensorrt.versions) | {target.tensorrt.version}
        for release in target.tensorrt.jetpacks:
            listed |= set(tensorrts_of(release))
        for version in listed:
            found[version].targets.add(target.id)
    return dict(sorted(found.items(), key=lambda item: read_version(item[0])))


def measure(found: dict[str, Found], size: str, rungs: list[int], progress: Console) -> None:
    """Export the graphs of one size at every opset that is needed, and fill in what is found."""
    model = network(size)
    fused = model.fused()
    by_opset: dict[int, list[str]] = defaultdict(list)
    for version in found:
        by_opset[export_opset(read_version(version)).value].append(version)
    for opset, listed in by_opset.items():
        for rung in rungs:
            for graph in FAMILY.graphs:
                if graph is MEMORY_SELECT and rung != rungs[-1]:
                    continue
                exported = export_graph(
                    getattr(fused, graph.name),
                    graph.with_image("float32").bind(model.config.dims(rung)),
                    opset,
                    reference=getattr(model, graph.name),
                    metadata=GraphMetadata(size, "", "", rung),
                )
                key = f"{size} {graph.key(rung)}"
                progress.print(f"{key} at opset {opset}", highlight=False)
                for version in listed:
                    entry = found[version]
                    entry.graphs += 1
                    entry.findings += [
                        f"{key} {finding.where}: {finding.why}"
                        for finding in preflight(exported.model, version)
                    ]
                    relative = max(error.relative for error in exported.parity.values())
                    entry.worst = max(entry.worst, relative)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--rungs", nargs="+", type=int, choices=RUNGS, default=list(RUNGS))
    arguments = parser.parse_args()
    progress = Console(stderr=True)
    found = versions()
    try:
        for size in arguments.sizes:
            measure(found, size, arguments.rungs, progress)
    except VerificationError as error:
        progress.print(f"[red]{error}[/]", highlight=False)
        return error.exit_code
    table = Table("TensorRT", "Opset", "Targets", "Graphs", "Not taken", "Worst error to PyTorch")
    for version, entry in found.items():
        opset = export_opset(read_version(version)).value
        counts = (str(entry.graphs), str(len(entry.findings)), f"{entry.worst:.1e}")
        table.add_row(version, str(opset), " ".join(sorted(entry.targets)), *counts)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    for entry in found.values():
        for line in entry.findings:
            progress.print(line, highlight=False)
    refused = any(entry.findings for entry in found.values())
    return VerificationError.exit_code if refused else 0


if __name__ == "__main__":
    run_app(main)
