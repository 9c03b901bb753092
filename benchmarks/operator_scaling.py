"""Where a second thread does not help: milliseconds by operator at one and at two threads.

Each thread count runs in a process of its own, with ONNX Runtime's profiler, on random inputs.

    .venv/bin/python benchmarks/operator_scaling.py BUNDLE

Writes operator_scaling.md under benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

import numpy as np
from figures import RESULTS, table

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.cli.app import run_app
from sam2lite.runtimes.backends.ort import session as ort
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.commands.children import environment, running_file

GRAPHS = ("image_encoder", "mask_decoder")
RUNS = 60
SHOWN = 8
THREADS = (1, 2)


def profile(path: str, graph: str, threads: int) -> dict[str, float]:
    """Return the milliseconds of a run by operator: the sum of its nodes' medians."""
    import onnxruntime

    bundle = open_bundle(path)
    entry = bundle.manifest.graphs[f"{graph}@{bundle.manifest.rungs[-1]}"]
    ort.share_threads(threads)
    options = ort.session_options(threads, threads)
    options.enable_profiling = True
    rng = np.random.default_rng(0)
    feeds = {
        spec.name: onnxruntime.OrtValue.ortvalue_from_numpy(
            rng.random([int(dim) for dim in spec.shape]).astype(spec.dtype)
        )
        for spec in entry.spec.inputs
    }
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(Path(path) / entry.file), options)
        for _ in range(RUNS):
            session.run_with_ort_values(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            nodes[event["args"]["op_name"], event["name"]].append(event["dur"])
    times: dict[str, float] = defaultdict(float)
    for (operator, _), microseconds in nodes.items():
        times[operator] += median(microseconds) / 1e3
    return dict(times)


def rows_of(graph: str, one: dict[str, float], two: dict[str, float]) -> list[list[object]]:
    """Return a graph's rows: the whole of it, then the operators that take longest."""
    longest = sorted(one, key=one.__getitem__, reverse=True)[:SHOWN]
    pairs = [("**all**", sum(one.values()), sum(two.values()))]
    pairs += [(operator, one[operator], two[operator]) for operator in longest]
    return [
        [graph.replace("_", " "), operator, f"{a:.2f}", f"{b:.2f}", f"{a / b:.2f}x"]
        for operator, a, b in pairs
    ]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--worker", nargs=2, metavar=("GRAPH", "THREADS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(profile(args.bundle, args.worker[0], int(args.worker[1]))))
        return
    rows: list[list[object]] = []
    before = load_average()
    for graph in GRAPHS:
        found = []
        for threads in THREADS:
            command = [*running_file(__file__), args.bundle, "--worker", graph, str(threads)]
            done = subprocess.run(
                command, env=environment(), check=True, stdout=subprocess.PIPE, text=True
            )
            found.append(json.loads(done.stdout))
        rows += rows_of(graph, *found)
    machine = describe_machine()
    text = (
        f"{machine['model']}, {machine['cores']} cores, load average {before} before and "
        f"{load_average()} after; the profiler's own time is in them.\n\n"
    )
    text += table(["graph", "operator", "1 thread, ms", "2 threads, ms", "gain"], rows)
    print(text)
    (RESULTS / "operator_scaling.md").write_text(text + "\n")


if __name__ == "__main__":
    run_app(main)
