"""Contenders side by side, each in a process of its own: what starts them, and what they answer.

Thread pools and peak memory belong to a process, so every contender and thread count has its own.
The parent lets them run in turn, so that what else the machine does hits all alike.

A worker is a script that is given a contender's name, a folder and a number of threads. It loads,
says so in a line of JSON, and answers each request, a line of JSON, with another one: lists of
times by what they are of.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sam2lite.runtimes.commands.children import environment, running_file


class Worker:
    """A process that measures when asked to.

    Attributes:
        contender: its name.
        threads: that it has.
        times: what it measured so far, by what it is of.
        peak_mb: most memory that it held until it was ready, MB; 0 where it does not say.
    """

    def __init__(self, script: Path, contender: str, folder: Path, threads: int) -> None:
        """Start it."""
        self.contender, self.threads = contender, threads
        self._process = subprocess.Popen(
            [*running_file(str(script)), contender, str(folder), str(threads)],
            env=environment(OMP_NUM_THREADS=str(threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.times: dict[str, list[Any]] = {}
        self.peak_mb = 0.0

    def wait(self) -> bool:
        """Return whether the contender has loaded."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if line:
            self.peak_mb = json.loads(line).get("peak_mb", 0.0)
        return bool(line)

    def run(self, **request: int) -> None:
        """Ask for times, and keep them."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        for name, times in json.loads(self._process.stdout.readline()).items():
            self.times.setdefault(name, []).extend(times)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def run_in_turn(
    script: Path, contenders: Sequence[str], folder: Path, threads: int, rounds: int, **request: int
) -> list[Worker]:
    """Return contenders with their times, without those that do not load.

    Args:
        script: of the workers.
        contenders: their names.
        folder: that they load from.
        threads: of each.
        rounds: how often each has its turn.
        request: what is asked for in each turn.
    """
    with ExitStack() as stack:
        workers = []
        for contender in contenders:
            worker = Worker(script, contender, folder, threads)
            stack.callback(worker.close)
            if worker.wait():
                workers.append(worker)
            else:
                print(f"{contender} does not load", file=sys.stderr)
        for _ in range(rounds):
            for worker in workers:
                worker.run(**request)
        return workers


def answer(measured: Callable[[dict[str, int]], Mapping[str, list[Any]]], peak_mb: float) -> None:
    """Be a worker that has loaded: answer requests until standard input ends.

    Args:
        measured: gives the times that a request is for.
        peak_mb: most memory that was held so far.
    """
    print(json.dumps({"peak_mb": peak_mb}), flush=True)
    for line in sys.stdin:
        print(json.dumps(measured(json.loads(line))), flush=True)


def timed(call: Callable[[], Any]) -> list[float]:
    """Return wall and CPU seconds of a call, all threads of this process together."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return [time.perf_counter() - wall, time.process_time() - cpu]


def frame_row(worker: Worker) -> dict[str, Any]:
    """Return what is told of whole frames, whose times are pairs as `timed` gives them, seconds."""
    wall, cpu = (list(column) for column in zip(*worker.times["frame"], strict=True))
    return {
        "contender": worker.contender,
        "threads": worker.threads,
        "frame_cpu_s": round(statistics.median(cpu), 4),
        "quartiles_cpu_s": quartiles(cpu),
        "frame_wall_s": round(statistics.median(wall), 4),
        "quartiles_wall_s": quartiles(wall),
        "peak_mb": worker.peak_mb,
    }


def quartiles(values: list[float]) -> list[float]:
    """Return the lower and the upper one."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return [round(low, 4), round(high, 4)]


def with_packages(contenders: Iterable[str], needs: Mapping[str, str]) -> list[str]:
    """Return the contenders that can run, and say which packages others lack.

    Args:
        contenders: their names.
        needs: by contender, a package; those that need none are not in it.
    """
    wanted = list(contenders)
    missing = sorted({needs[n] for n in wanted if n in needs and not find_spec(needs[n])})
    if missing:
        print(f"left out, for want of a package: {', '.join(missing)}", file=sys.stderr)
    return [name for name in wanted if needs.get(name) not in missing]


def version(package: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
