"""Kills commands at random instants, fills disks and starts two at once; says what was left.

    python checks/crash.py [--kills 100] [--seed 0] [--only export track train build]

A kill is SIGKILL, SIGTERM or SIGINT in turn, at an instant drawn over the time that the command
takes, every other one over an older output. After each: nothing half under the output's name, the
older one intact or the new one whole, the exit code of the signal, no traceback, no process left
and, once the next run has begun, nothing left beside it. Wants half an hour; the disks want root.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crash_commands import Command, commands, tree
from rich.console import Console
from rich.table import Table

from sam2lite.errors import Sam2LiteError
from sam2lite.files.unfinished import clear_unfinished, is_unfinished
from sam2lite.runtimes.commands.children import environment

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE_S = 120.0
FULL_BYTES = 16 << 10  # of a disk that the smallest output does not fit on


class Crash:
    """Kills a command, and keeps what it found."""

    def __init__(self, command: Command, folder: Path, rng: random.Random) -> None:
        self.command, self.rng = command, rng
        self.output = folder / command.name / "out"
        self.counts: Counter[str] = Counter()
        self.findings: list[str] = []
        self.output.parent.mkdir()
        command.prepare(self.output)
        started = time.perf_counter()
        self._succeed()
        self.seconds = time.perf_counter() - started
        self.old = tree(self.output)

    def kill(self, number: signal.Signals) -> None:
        """Kill one run at an instant of its own, and look at what it left."""
        process = self._start("--force")
        instant_s = self.rng.uniform(0.0, 1.05 * self.seconds)
        try:
            process.wait(instant_s)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        errors = self._end(process)
        where = f"{self.command.name}, {number.name} after {instant_s:.2f} s"
        self._judge(where, process.returncode, number, errors)
        self._next_start(where)
        self.counts["kills"] += 1

    def finish(self) -> None:
        """Run it to its end once more: nothing of all the kills is left."""
        self._succeed("--force")
        self._look("after a last run", [])
        for left in self._unfinished():
            self.findings.append(f"{self.command.name}: {left} is left after a last run")

    def two_at_once(self) -> None:
        """Start two into one new place, where one may win, and two over an older output."""
        if self.command.name == "build":
            return  # two builds share what is built
        for place in (self.output.with_name("both"), self.output):
            forced = ["--force"] if place.exists() else []
            pair = [self._start(*forced, output=place) for _ in range(2)]
            errors = [self._end(process) for process in pair]
            codes = sorted(process.returncode for process in pair)
            where = f"{self.command.name}, two at once{' with --force' if forced else ''}"
            # Where the first ends before the second looks, the second replaces it with --force.
            if codes not in ([0, 1], *([[0, 0]] if forced else [])):
                self.findings.append(f"{where}: exit codes {codes}: {' / '.join(errors)}")
            if any("Traceback" in text for text in errors):
                self.findings.append(f"{where}: {errors}")
            self._look(where, [], place)
            self.counts["two at once"] += 1

    def no_room(self, full: Path, how: str) -> None:
        """Run on a disk that is full or may not be written: exit 1, one line, nothing left."""
        if self.command.name == "build":
            return  # its bundle is on the disk already
        process = self._start(output=full / "out")
        errors = self._end(process)
        where = f"{self.command.name}, {how}"
        told = [line for line in errors.splitlines() if line.startswith("error: ")]
        if process.returncode != 1 or "Traceback" in errors or len(told) != 1:
            self.findings.append(f"{where}: exit code {process.returncode}: {errors}")
        left = [each.name for each in full.iterdir() if is_unfinished(each.name)]
        if left or ((full / "out").exists() and self.command.name != "train"):
            self.findings.append(f"{where}: left {left or 'out'}")
        self.counts[how] += 1

    def _start(self, *options: str, output: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command.line(output or self.output), *options],
            env=environment(OMP_NUM_THREADS="1", **self.command.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_hear_ctrl_c,
            cwd=self.output.parent,
        )

    def _end(self, process: subprocess.Popen[str]) -> str:
        """Wait for the end of a process and of all that it started; return what it complained."""
        try:
            _, errors = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.findings.append(f"{self.command.name}: still there after {PATIENCE_S:.0f} s")
            os.killpg(process.pid, signal.SIGKILL)
            _, errors = process.communicate()
        for _ in range(100):
            alive = _session(process.pid)
            if not alive:
                return errors
            time.sleep(0.05)
        self.findings.append(f"{self.command.name}: left processes {alive}")
        os.killpg(process.pid, signal.SIGKILL)
        return errors

    def _succeed(self, *options: str) -> None:
        process = self._start(*options)
        errors = self._end(process)
        if process.returncode:
            raise SystemExit(f"{self.command.name} does not run at all: {errors}")

    def _judge(self, where: str, code: int, number: signal.Signals, errors: str) -> None:
        by_signal = code in (-number, 128 + number)
        self.counts["done before" if code == 0 else "ended by the signal"] += 1
        if not by_signal and code != 0:
            self.findings.append(f"{where}: exit code {code}: {errors.strip()[-300:]}")
        if "Traceback" in errors:
            if _before_ours(errors):
                self.counts["Python was starting"] += 1
            else:
                self.findings.append(f"{where}: a traceback: {errors.strip()[-600:]}")
        self._look(where, [number] if number == signal.SIGKILL else [])

    def _look(self, where: str, may_miss: list[signal.Signals], place: Path | None = None) -> None:
        """Look at what is under the output's name."""
        output = place or self.output
        if not output.exists():
            self.counts["set aside"] += 1
            if not may_miss:
                self.findings.append(f"{where}: the older output is gone")
            return
        try:
            fault = self.command.complete(output)
        except (OSError, ValueError, LookupError, Sam2LiteError) as error:
            fault = repr(error)
        if fault:
            self.findings.append(f"{where}: half an output: {fault}")

    def _next_start(self, where: str) -> None:
        """Do what the next run does first; then nothing may be left beside the outputs."""
        self.counts["left until the next run"] += len(self._unfinished())
        for pattern in self.command.outputs:
            if not pattern:
                clear_unfinished(str(self.output))
            elif "*" in pattern:
                continue  # the builds look through their folder; see `finish`
            else:
                clear_unfinished(str(self.output / pattern))
        if "engines/*" in self.command.outputs:
            return
        for left in self._unfinished():
            self.findings.append(f"{where}: {left} is left after the next start")
        if not self.output.exists():
            self.findings.append(f"{where}: the older output does not come back")

    def _unfinished(self) -> list[str]:
        return [
            str(each.relative_to(self.output.parent))
            for each in self.output.parent.rglob("*")
            if is_unfinished(each.name)
        ]


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where this runs in the background


def _session(leader: int) -> list[str]:
    """Return the command lines of what still runs in a session."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                fields = (each / "stat").read_text().rpartition(")")[2].split()
                line = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(line[:120])
    return found


def _before_ours(errors: str) -> bool:
    """Return whether a traceback is Python's own, before a line of this project has run."""
    return "sam2lite/" not in errors.replace("bin/sam2lite", "")


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """Mount a small disk in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def table(crashes: list[Crash]) -> Table:
    """Return what was done and found, a row for every command."""
    columns = ["kills", "ended by the signal", "done before", "Python was starting", "set aside"]
    columns += ("left until the next run", "two at once", "full disk", "read-only")
    shown = Table("command", "seconds", *columns, "findings")
    for crash in crashes:
        counts = [str(crash.counts[name]) for name in columns]
        findings = str(len(crash.findings))
        shown.add_row(crash.command.name, f"{crash.seconds:.1f}", *counts, findings)
    return shown


def main() -> int:
    """Do all of it; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=["export", "track", "train", "build"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        known: dict[str, Any] = {each.name: each for each in commands(folder)}
        bundle = known["export"].line(folder / "bundle")
        subprocess.run(bundle, env=environment(), check=True, stdout=subprocess.DEVNULL)
        crashes = []
        for name in arguments.only:
            rng = random.Random(f"{arguments.seed} {name}")
            crash = Crash(known[name], folder, rng)
            crashes.append(crash)
            for number in itertools.islice(
                itertools.cycle(SIGNALS), arguments.kills // len(arguments.only)
            ):
                crash.kill(number)
            crash.finish()
            crash.two_at_once()
            if os.geteuid() == 0:
                with disk(folder / "full", f"size={FULL_BYTES}") as full:
                    crash.no_room(full, "full disk")
                with disk(folder / "locked", "ro") as locked:
                    crash.no_room(locked, "read-only")
                for each in ("full", "locked"):
                    (folder / each).rmdir()
    Console(width=None if sys.stdout.isatty() else 200).print(table(crashes))
    for crash in crashes:
        for finding in crash.findings:
            print(finding)
    if os.geteuid():
        print("full and read-only disks were left out: they want root")
    return 1 if any(crash.findings for crash in crashes) else 0


if __name__ == "__main__":
    sys.exit(main())
