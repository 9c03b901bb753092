"""What ONNX Runtime's memory arenas cost and save: every rung of a bundle open at once.

Each setting runs in worker processes of its own, in turn; frames are those of the largest rung.

    .venv/bin/python benchmarks/arena.py BUNDLE
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

from sam2lite.cli.app import run_app
from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.runtimes.backends.ort import session as ort
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.commands.children import environment, running_file
from sam2lite.runtimes.measuring.resident_memory import rss_mb

RUNS = 40
# Whether sessions use the arena of the process, and whether each has its own.
SETTINGS = {"one for all": (True, False), "each its own": (False, True), "none": (False, False)}


def measure(path: str, setting: str) -> dict[str, float]:
    """Open and run every graph; return the memory, and the median time of a frame."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # that a setting is overwritten is meant
    shared, own = SETTINGS[setting]
    bundle = open_bundle(path)
    ort.share_threads(bundle.default_threads())
    sessions = []
    for rung in sorted(bundle.manifest.rungs, reverse=True):
        for graph in FAMILY.per_size:
            entry = bundle.manifest.graphs[graph.key(rung)]
            options = ort.session_options(None, bundle.default_threads())
            options.add_session_config_entry("session.use_env_allocators", str(int(shared)))
            session = ort.OrtSession(entry.spec, str(Path(path) / entry.file), options, own)
            zeros = {
                spec.name: np.zeros([int(dim) for dim in spec.shape], spec.dtype)
                for spec in entry.spec.inputs
            }
            session.run(zeros)
            sessions.append((session, zeros))
    memory_mb = rss_mb()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        for session, zeros in sessions[: len(FAMILY.per_size)]:
            session.run(zeros)
        times.append(1e3 * (time.perf_counter() - start))
    return {"rss_mb": memory_mb, "frame_ms": round(statistics.median(times), 2)}


def main() -> None:
    """Measure all settings three times in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle")
    parser.add_argument("--worker", choices=SETTINGS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(measure(args.bundle, args.worker)))
        return
    print("| arena | all rungs open, MB | frame at the largest, ms |\n|-|-|-|")
    for _ in range(3):
        for setting in SETTINGS:
            command = [*running_file(__file__), args.bundle, "--worker", setting]
            done = subprocess.run(
                command, env=environment(), check=True, stdout=subprocess.PIPE, text=True
            )
            row = json.loads(done.stdout)
            print(f"| {setting} | {row['rss_mb']} | {row['frame_ms']} |", flush=True)
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    run_app(main)
