"""How fast a CPU trains: processes against threads, bfloat16 against FP32, waiting for clips.

Every setting runs the whole of stage 1 in a few steps, from the weights in the package, in turn.
Its figure is the time for a process' batch, which is the same batch in every setting.

    .venv/bin/python benchmarks/training_speed.py [--keep]

It keeps its result in benchmarks/results/training_speed.json and fills the block in
docs/training.md; with --keep it only does the latter. It wants a quiet machine of two cores.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from pathlib import Path

from figures import RESULTS, ROOT, fill, load, paragraph, table

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.cli.app import run_app
from sam2lite.training.run.folder import open_run
from sam2lite.training.run.launch import launch
from sam2lite.training.run.options import RunOptions
from sam2lite.training.run.state import read_progress
from sam2lite.training.run.trainer import Report

SETTINGS = {
    "2 processes of 1 thread, bfloat16": (2, True),
    "1 process of 2 threads, bfloat16": (1, True),
    "2 processes of 1 thread, FP32": (2, False),
}
STEPS, ROUNDS = 24, 2


def quiet(report: Report) -> None:
    """Say nothing."""


def run(processes: int, bf16: bool) -> tuple[float, float]:
    """Train; return seconds for a batch, and the share of the time spent waiting for one."""
    options = RunOptions(
        start=str(ROOT / "sam2lite/weights/tiny"), stages=(1,), steps=STEPS, bf16=bf16
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        open_run(folder, options, resume=False, force=False)
        launch(options, folder, resume=False, processes=processes, report=quiet)
        with (folder / "log.csv").open() as file:
            waited = [float(row["waited"]) for row in csv.DictReader(file)]
        return read_progress(folder).elapsed_s / (STEPS * processes), statistics.fmean(waited)


def measure() -> None:
    """Run every setting in turn and record the result."""
    before = load_average()
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in SETTINGS}
    for _ in range(ROUNDS):
        for name, setting in SETTINGS.items():
            rows[name].append(run(*setting))
    result = {
        "machine": {**describe_machine(), "load_average": [before, load_average()]},
        "steps": STEPS,
        "seconds_per_batch": {n: [round(s, 4) for s, _ in found] for n, found in rows.items()},
        "waited": {n: [round(share, 4) for _, share in found] for n, found in rows.items()},
    }
    (RESULTS / "training_speed.json").write_text(json.dumps(result, indent=1) + "\n")


def block() -> str:
    """Return the table."""
    result = load("training_speed")
    seconds = result["seconds_per_batch"]
    first = statistics.median(next(iter(seconds.values())))
    rows: list[list[object]] = [
        [
            name,
            f"{statistics.median(found):.3f}",
            f"{min(found):.3f}..{max(found):.3f}",
            f"{statistics.median(found) / first:.2f}x",
            f"{100 * statistics.median(result['waited'][name]):.1f} %",
        ]
        for name, found in seconds.items()
    ]
    header = [
        "setting",
        "s per batch, median",
        "min..max",
        "against the first",
        "waiting for clips",
    ]
    return "\n\n".join(
        [
            table(header, rows),
            paragraph(
                f"""{len(next(iter(seconds.values())))} runs of {result["steps"]} steps over all of
                stage 1, in turn, on {result["machine"]["model"]}; load average
                {result["machine"]["load_average"][0]:.1f} before, in which the runs themselves
                count."""
            ),
        ]
    )


def main() -> None:
    """Measure unless told not to, then fill the block."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="use the recorded result")
    if not parser.parse_args().keep:
        measure()
    fill(ROOT / "docs/training.md", "training_speed", block())


if __name__ == "__main__":
    run_app(main)
