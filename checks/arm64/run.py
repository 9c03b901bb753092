"""Run bundles of four families on an emulated ARM64 machine, and compare with this one.

    python checks/arm64/run.py [--short] [--folder .cache/arm64] [--mirror URL]

The machine is set up in a folder, without root: QEMU's user mode, Debian's Python, wheels; 0.4 GB.
A folder that was half set up is completed. It says what runs on ARM and how its masks differ, and
nothing of speed. The exit code is 1 if anything is missing or wrong.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The names of this folder's modules are too plain to be importable by themselves.
sys.path[0:1] = [str(ROOT), str(ROOT / "checks")]

from arm64.bundles import Subject, make_bundles, write_clip  # noqa: E402
from arm64.debian import MIRROR  # noqa: E402
from arm64.downloads import MissingError  # noqa: E402
from arm64.machine import Machine, set_up  # noqa: E402
from arm64.running import Runner  # noqa: E402
from arm64.trial import (  # noqa: E402
    COLUMNS,
    Cell,
    Clip,
    Task,
    expected_here,
    of_app,
    of_checks,
    of_track,
    results_of,
)
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from sam2lite.errors import Sam2LiteError  # noqa: E402

# Those that choose other code in ONNX Runtime: smull and smlal (Jetson Nano, Raspberry Pi 4), sdot
# (Raspberry Pi 5), sdot and smmla.
CORES = ("cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n2")
SHORT_CORES = ("cortex-a57", "cortex-a76")
FRAMES, SHORT_FRAMES = 20, 3
APP_FRAMES = 2
GOLDEN = ROOT / "tests/runtimes/resampling/test_same_bytes.py"

Maker = Callable[[Sequence[Subject], Clip, Path], Iterator[Task]]


def main() -> int:
    """Set up, run, print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--short", action="store_true", help=f"{SHORT_FRAMES} frames, two cores")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache/arm64", help="of the machine")
    parser.add_argument("--mirror", default=MIRROR, help="of Debian")
    arguments = parser.parse_args()
    folder, began = arguments.folder.resolve(), time.monotonic()
    try:
        machine = set_up(folder, arguments.mirror.rstrip("/"), _say)
        click = write_clip(folder / "clip")
        subjects = make_bundles(folder / "bundles", _say, arguments.short)
        cells, faults = _run(machine, subjects, click, arguments.short)
    except (MissingError, Sam2LiteError, RuntimeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    _print(cells)
    faults += [
        f"{each.subject} on {each.core}, {each.column}: {each.fault}"
        for each in cells
        if each.fault
    ]
    for fault in faults:
        sys.stderr.write(f"wrong: {fault}\n")
    minutes = (time.monotonic() - began) / 60
    verdict = f"{len(faults)} wrong" if faults else "all as it must be"
    took = f"{minutes:.1f} minutes, {_cpu_minutes():.1f} of processor time"
    sys.stdout.write(f"{verdict}; {took}; run under emulation, so no speed\n")
    return 1 if faults else 0


def _run(
    machine: Machine, subjects: list[Subject], click: str, is_short: bool
) -> tuple[list[Cell], list[str]]:
    """Return what became of every command, and what is wrong besides."""
    frames, cores = (SHORT_FRAMES, SHORT_CORES) if is_short else (FRAMES, CORES)
    results = machine.folder / "results"
    clip = Clip(machine.folder / "clip", click, frames, APP_FRAMES)
    # In short, what does not depend on the network is tried with the published one alone.
    tried = [each for each in subjects if each.is_trained] if is_short else subjects
    _say("tracking on this machine")
    here = expected_here(subjects, clip, results / "here")
    for name, expected in here.items():
        if expected.to_fp32:
            _say(f"{name} against FP32 on this machine: {expected.to_fp32}")

    def trial(make: Maker, which: list[Subject], core: str) -> list[Cell]:
        tasks = list(make(which, clip, results / core))
        return results_of(Runner(machine, core), tasks, here, _say)

    # What takes longest begins first, so that at the end no processor waits for another.
    kinds: list[tuple[Maker, list[Subject]]]
    kinds = [(of_track, subjects), (of_checks, tried), (of_app, tried)]
    with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)))) as pool:
        waiting = [pool.submit(trial, *kind, core) for kind in kinds for core in cores]
        done = pool.submit(Runner(machine, cores[0]).tests, GOLDEN).result()
        faults = [f"input bytes on {cores[0]}: {done.fault}"] if done.fault else []
        _say(f"input bytes on {cores[0]}: {done.last}")
        return [cell for each in waiting for cell in each.result()], faults


def _print(cells: list[Cell]) -> None:
    table = Table("bundle", "core", *COLUMNS)
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for cell in cells:
        rows.setdefault((cell.subject, cell.core), {})[cell.column] = cell.text
    for (subject, core), texts in sorted(rows.items()):
        table.add_row(subject, core, *(texts.get(column, "") for column in COLUMNS))
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _cpu_minutes() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used) / 60


if __name__ == "__main__":
    raise SystemExit(main())
