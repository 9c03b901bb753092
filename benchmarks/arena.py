"""What ONNX Runtime's memory arena costs and saves: every rung of a bundle open at once.

Each setting runs in worker processes of its own, in turn.

    .venv/bin/python benchmarks/arena.py BUNDLE
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from sam2lite.benchmarks.memory import rss_mb
from sam2lite.contracts.graphs import RUNG_GRAPHS, graph_key
from sam2lite.runtimes import ort
from sam2lite.runtimes.bundle import open_bundle

RUNS = 40


def measure(path: str, arena: bool) -> dict[str, float]:
    """Open and run every graph; return the memory, and the largest encoder's median time."""
    bundle = open_bundle(path)
    ort.share_threads(bundle.default_threads())
    sessions = []
    for rung in sorted(bundle.manifest.rungs, reverse=True):
        for graph in RUNG_GRAPHS:
            entry = bundle.manifest.graphs[graph_key(graph.name, rung)]
            options = ort.session_options(None, bundle.default_threads())
            session = ort.OrtSession(entry.spec, str(Path(path) / entry.file), options, arena)
            zeros = {
                spec.name: np.zeros([int(dim) for dim in spec.shape], spec.dtype)
                for spec in entry.spec.inputs
            }
            session.run(zeros)
            sessions.append((session, zeros))
    memory_mb = rss_mb()
    encoder, image = sessions[0]
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        encoder.run(image)
        times.append(1e3 * (time.perf_counter() - start))
    return {"rss_mb": memory_mb, "encoder_ms": round(statistics.median(times), 2)}


def main() -> None:
    """Measure with and without, three times in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--worker", choices=["on", "off"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(measure(args.bundle, args.worker == "on")))
        return
    print("| arena | all rungs open, MB | largest encoder, ms |\n|-|-|-|")
    for _ in range(3):
        for setting in ("on", "off"):
            command = [sys.executable, __file__, args.bundle, "--worker", setting]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            row = json.loads(done.stdout)
            print(f"| {setting} | {row['rss_mb']} | {row['encoder_ms']} |", flush=True)
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
