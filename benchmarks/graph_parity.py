"""How far is every graph from PyTorch, at every size, rung and opset? Prints a table.

Each graph is traced, lowered and run by onnxruntime with its optimisations on; the reference is the
network with its batch norms. Weights are random, the batch norms' statistics come from one pass
over noise. Exit code 3 if an output is further away than the tolerance.

    .venv/bin/python benchmarks/graph_parity.py --json benchmarks/results/graph_parity.json
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from sam2lite.cli.app import run_app
from sam2lite.contracts.families.sam2lite import FAMILY, MEMORY_SELECT, RUNGS
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.passes.pipeline import run_passes
from sam2lite.exporter.onnx.trace import OPSETS, example_inputs, feeds_of, trace
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE, graph_parity
from sam2lite.models.sam2lite.config import SIZES, size_config
from sam2lite.models.sam2lite.network import Sam2Lite, build

MEASURED_OPSETS = [13, 17, 18]


def network(size: str) -> Sam2Lite:
    """Return an untrained network whose batch norms have seen something."""
    model = build(size_config(size)).train()
    dims = model.config.dims(model.config.rungs[0])
    with torch.no_grad():
        for graph in FAMILY.graphs:
            getattr(model, graph.name)(*example_inputs(graph.bind(dims)))
    return model.eval()


def measure(model: Sam2Lite, fused: Sam2Lite, spec: GraphSpec, opset: int) -> dict[str, Any]:
    """Return the worst output's name, its errors, and the worst error of any pass."""
    traced = trace(getattr(fused, spec.name), spec, opset)
    feeds = feeds_of(spec, example_inputs(spec))
    lowered, passes = run_passes(traced, spec, feeds)
    parity = graph_parity(getattr(model, spec.name), lowered, spec)
    worst = max(parity, key=lambda name: parity[name].relative)
    return {
        "output": worst,
        **parity[worst].to_json(),
        "relative": parity[worst].relative,
        "ties": max(error.ties for error in parity.values()),
        "passes_relative": max(report.relative for report in passes),
        "nodes": passes[-1].nodes,
    }


def rows(sizes: list[str], rungs: list[int], opsets: list[int]) -> Iterator[dict[str, Any]]:
    """Measure every graph; the one that all rungs share is measured once."""
    for size in sizes:
        model = network(size)
        fused = model.fused()
        wanted = [rung for rung in model.config.rungs if rung in rungs]
        for opset in opsets:
            for rung in wanted:
                for graph in FAMILY.graphs:
                    if graph is MEMORY_SELECT and rung != wanted[-1]:
                        continue
                    spec = graph.bind(model.config.dims(rung))
                    yield {
                        "size": size,
                        "opset": opset,
                        "rung": rung,
                        "graph": graph.name,
                        **measure(model, fused, spec, opset),
                    }


def table(results: list[dict[str, Any]], opsets: list[int]) -> Table:
    """Show the worst rung of every graph, one column an opset."""
    worst: dict[tuple[str, str], dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in results:
        cells = worst[row["size"], row["graph"]]
        if row["relative"] >= cells.get(row["opset"], {"relative": -1.0})["relative"]:
            cells[row["opset"]] = row
    shown = Table("Size", "Graph", *(f"Opset {opset}" for opset in opsets), "Ties")
    for (size, graph), cells in worst.items():
        ties = max(row["ties"] for row in results if (row["size"], row["graph"]) == (size, graph))
        texts = [
            f"{cells[opset]['relative']:.1e} {cells[opset]['output']}@{cells[opset]['rung']}"
            for opset in opsets
        ]
        shown.add_row(size, graph, *texts, str(ties))
    return shown


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--rungs", nargs="+", type=int, choices=RUNGS, default=list(RUNGS))
    parser.add_argument("--opsets", nargs="+", type=int, choices=OPSETS, default=MEASURED_OPSETS)
    parser.add_argument("--json", type=Path, help="write every figure there")
    arguments = parser.parse_args()

    progress = Console(stderr=True)
    started = time.perf_counter()
    results = []
    try:
        for row in rows(arguments.sizes, arguments.rungs, arguments.opsets):
            results.append(row)
            key = FAMILY.graph(row["graph"]).key(row["rung"])
            done = f"{time.perf_counter() - started:6.1f} s  {row['size']} {key}"
            progress.print(f"{done} opset {row['opset']}: {row['relative']:.1e}", highlight=False)
    except VerificationError as error:
        progress.print(f"[red]{error}[/]", highlight=False)
        return error.exit_code
    Console(width=None if sys.stdout.isatty() else 200).print(table(results, arguments.opsets))
    if arguments.json:
        import onnxruntime

        report = {
            "machine": platform.machine(),
            "torch": torch.__version__,
            "onnxruntime": onnxruntime.__version__,
            "tolerance": GRAPH_TOLERANCE,
            "graphs": results,
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    failed = [row for row in results if not row["relative"] <= GRAPH_TOLERANCE]
    return VerificationError.exit_code if failed else 0


if __name__ == "__main__":
    run_app(main)
