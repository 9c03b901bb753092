"""Run bundles of three families on an emulated ARM64 machine, and compare with this one.

    python checks/arm64/run.py [--short] [--folder .cache/arm64] [--mirror URL]

The machine is set up in a folder, without root: QEMU's user mode, Debian's Python, wheels; 0.4 GB.
A folder that was half set up is completed. It says what runs on ARM and how its masks differ, and
nothing of speed. The exit code is 1 if anything is missing or wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The names of this folder's modules are too plain to be importable by themselves.
sys.path[0:1] = [str(ROOT), str(ROOT / "checks")]

from arm64.bundles import Subject, make_bundles, write_clip  # noqa: E402
from arm64.comparison import likeness  # noqa: E402
from arm64.debian import MIRROR  # noqa: E402
from arm64.downloads import MissingError  # noqa: E402
from arm64.machine import Machine, set_up  # noqa: E402
from arm64.running import Runner, reason  # noqa: E402
from arm64.trial import Clip, Row, masks_here, try_on  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from sam2lite.errors import Sam2LiteError  # noqa: E402

# Those that choose other code in ONNX Runtime: smull and smlal (Jetson Nano, Raspberry Pi 4), sdot
# (Raspberry Pi 5), sdot and smmla.
CORES = ("cortex-a57", "cortex-a72", "cortex-a76", "neoverse-n2")
FRAMES, SHORT_FRAMES = 20, 3
OTHER_FRAMES = 5  # on cores after the first, whose code in FP32 is the same
APP_FRAMES = 2
GOLDEN = ROOT / "tests/runtimes/resampling/test_same_bytes.py"


def main() -> int:
    """Set up, run, print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--short", action="store_true", help=f"{SHORT_FRAMES} frames on two cores")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache/arm64", help="of the machine")
    parser.add_argument("--mirror", default=MIRROR, help="of Debian")
    parser.add_argument("--only", help="bundles with this in their names")
    arguments = parser.parse_args()
    folder, began = arguments.folder.resolve(), time.monotonic()
    try:
        machine = set_up(folder, arguments.mirror.rstrip("/"), _say)
        click = write_clip(folder / "clip")
        subjects = make_bundles(folder / "bundles", _say)
        rows, faults = _run(machine, subjects, click, arguments.short, arguments.only or "")
    except (MissingError, Sam2LiteError, RuntimeError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    _print(rows)
    faults += [fault for row in rows for fault in row.faults]
    for fault in faults:
        sys.stderr.write(f"wrong: {fault}\n")
    minutes = (time.monotonic() - began) / 60
    verdict = f"{len(faults)} wrong" if faults else "all as it must be"
    sys.stdout.write(f"{verdict}; {minutes:.1f} minutes; run under emulation, so no speed\n")
    return 1 if faults else 0


def _run(
    machine: Machine, subjects: list[Subject], click: str, is_short: bool, only: str
) -> tuple[list[Row], list[str]]:
    """Return a row for each bundle and core, and what is wrong besides."""
    frames = SHORT_FRAMES if is_short else FRAMES
    results = machine.folder / "results"
    results.mkdir(exist_ok=True)
    clip = Clip(machine.folder / "clip", click, frames, APP_FRAMES)
    _say("tracking on this machine")
    here = {subject.name: masks_here(subject, clip, results) for subject in subjects}
    distances = {
        subject.name: likeness(here[subject.name], here[subject.of_fp32])
        for subject in subjects
        if subject.of_fp32
    }
    for name, distance in distances.items():
        _say(f"{name} against FP32 on this machine: {distance}")
    cores = (CORES[0], CORES[2]) if is_short else CORES

    def trial(core: str, subject: Subject) -> Row:
        in_full = core == cores[0] or subject.of_fp32 is not None
        length = frames if in_full else min(frames, OTHER_FRAMES)
        part = Clip(clip.folder, click, length, APP_FRAMES)
        expected, distance = here[subject.name], distances.get(subject.name)
        row = try_on(machine, core, subject, part, results, expected, distance)
        _say(f"{subject.name} on {core}: {row.track}")
        return row

    with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)))) as pool:
        golden = pool.submit(Runner(machine, cores[0]).tests, GOLDEN)
        wanted = [subject for subject in subjects if only in subject.name]
        waiting = [pool.submit(trial, core, subject) for core in cores for subject in wanted]
        done = golden.result()
        faults = [f"input bytes on {cores[0]}: {reason(done)}"] if done.returncode else []
        if not faults:
            _say(f"input bytes on {cores[0]}: {done.stdout.strip().splitlines()[-1]}")
        return [each.result() for each in waiting], faults


def _print(rows: list[Row]) -> None:
    table = Table("bundle", "core", "doctor", "verify", "track", "device.pyz")
    for row in rows:
        table.add_row(row.subject, row.core, row.doctor, row.verify, row.track, row.app)
    Console(width=None if sys.stdout.isatty() else 132).print(table)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
