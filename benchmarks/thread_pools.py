"""One thread pool for all sessions, or one each? The four graphs of a bundle, one after the other.

Each setting runs in worker processes of its own (the shared pool is set once per process), in turn,
so that drift of the machine hits all alike.

    .venv/bin/python benchmarks/thread_pools.py BUNDLE --json benchmarks/results/thread_pools.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np

from sam2lite.bench.load import CpuLoad
from sam2lite.cli.app import run_app
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.commands.children import environment, running_file

SETTINGS = {
    "1 thread": {"threads": 1, "shared": True, "spin": True},
    "2 threads, a pool each, spinning": {"threads": 2, "shared": False, "spin": True},
    "2 threads, a pool each, not spinning": {"threads": 2, "shared": False, "spin": False},
    "2 threads, one pool": {"threads": 2, "shared": True, "spin": True},
}


def loop_ms(bundle_path: str, setting: str, frames: int) -> float:
    """Return the median time of the four graphs, in this process."""
    import onnxruntime as ort

    options = SETTINGS[setting]
    if options["shared"]:
        ort.set_global_thread_pool_sizes(options["threads"], 1)
    bundle = open_bundle(bundle_path)
    rung = bundle.manifest.rungs[-1]
    calls = []
    for graph in FAMILY.graphs:
        entry = bundle.manifest.graphs[graph.key(rung)]
        session_options = ort.SessionOptions()
        if options["shared"]:
            session_options.use_per_session_threads = False
        else:
            session_options.intra_op_num_threads = options["threads"]
            spin = "1" if options["spin"] else "0"
            session_options.add_session_config_entry("session.intra_op.allow_spinning", spin)
        path = str(Path(bundle_path) / entry.file)
        session = ort.InferenceSession(path, session_options, providers=["CPUExecutionProvider"])
        random = np.random.default_rng(0)
        feeds = {
            spec.name: ort.OrtValue.ortvalue_from_numpy(
                random.random([int(dim) for dim in spec.shape]).astype(spec.dtype)
            )
            for spec in entry.spec.inputs
        }
        calls.append((session, feeds))
    times = []
    for index in range(frames + 5):
        start = time.perf_counter()
        for session, feeds in calls:
            session.run_with_ort_values(None, feeds)
        if index >= 5:
            times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    """Run every setting in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--load", type=int, default=0, help="competing processes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(loop_ms(args.bundle, args.worker, args.frames))
        return
    medians: dict[str, list[float]] = {name: [] for name in SETTINGS}
    with CpuLoad(args.load) as load:
        if args.load:
            load.start()
        for _ in range(args.runs):
            for name in SETTINGS:
                command = [*running_file(__file__), args.bundle, "--frames", str(args.frames)]
                done = subprocess.run(
                    [*command, "--worker", name],
                    env=environment(),
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                medians[name].append(float(done.stdout))
    best = statistics.median(medians["2 threads, one pool"])
    print("| setting | ms, median of runs | min..max | against one pool |")
    print("|-|-|-|-|")
    rows = []
    for name, values in medians.items():
        middle = statistics.median(values)
        rows.append({"setting": name, "ms": [round(value, 2) for value in values]})
        print(
            f"| {name} | {middle:.1f} | {min(values):.1f}..{max(values):.1f} "
            f"| {middle / best:.2f}x |"
        )
    print(f"{args.runs} runs of {args.frames} frames, load average {os.getloadavg()[0]:.1f}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    run_app(main)
