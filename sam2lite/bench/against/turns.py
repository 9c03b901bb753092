"""Two bundles, or one in two backends, frame by frame in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from sam2lite.errors import SessionError
from sam2lite.runtimes.commands.children import environment, running_ours

# Frames that a contender tracks before it is the other's turn: enough that its pool is awake for
# most of them, and so few that what else the machine does hits both alike.
_TURN = 5
_WARMUP = 10
# Nearer than this, in wall time, is level: a quiet machine repeats itself within 2 or 3 percent.
LEVEL = 0.03


@dataclass(frozen=True)
class Contender:
    """A bundle in a backend.

    Attributes:
        bundle: its folder.
        backend: that runs it.
    """

    bundle: str
    backend: str


@dataclass(frozen=True)
class Course:
    """What both track, and how.

    Attributes:
        rung: input side, px.
        threads: of each.
        objects: that are followed.
        video: file to play; None for the synthetic clip.
    """

    rung: int
    threads: int
    objects: int = 1
    video: str | None = None


@dataclass
class Times:
    """What frames took, ms each: on the clock, and of processors, all threads together."""

    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        """Of a frame, on the clock."""
        return statistics.median(self.wall_ms)

    def to_json(self) -> dict[str, Any]:
        """Return medians and quartiles."""
        low, _, high = statistics.quantiles(self.wall_ms, n=4, method="inclusive")
        return {
            "frame_ms": round(self.median_ms, 3),
            "quartiles_ms": [round(low, 3), round(high, 3)],
            "cpu_ms": round(statistics.median(self.cpu_ms), 3),
        }


def are_level(one_ms: float, other_ms: float) -> bool:
    """Return whether two times of a frame are too near to each other to tell them apart."""
    return abs(one_ms - other_ms) <= LEVEL * max(one_ms, other_ms)


def faster(times: Sequence[Times]) -> int | None:
    """Return which of two has the shorter frames; None where they are level."""
    one, other = (each.median_ms for each in times)
    if are_level(one, other):
        return None
    return 0 if one < other else 1


def run_in_turn(
    contenders: Sequence[Contender],
    course: Course,
    frames: int,
    on_frames: Callable[[int], None] = lambda count: None,
) -> list[Times]:
    """Track the same clip with all, in turn, each in a process of its own.

    Args:
        contenders: to measure.
        course: what they do.
        frames: that count, of each.
        on_frames: told how many frames were tracked since it was told last.

    Returns:
        their times, in their order.

    Raises:
        SessionError: one of them cannot be run here; the message says why.
    """
    found = [Times() for _ in contenders]
    with ExitStack() as stack:
        workers = [stack.enter_context(_Worker(contender, course)) for contender in contenders]
        for worker in workers:
            worker.track(_WARMUP)
        left = frames
        while left > 0:
            for worker, times in zip(workers, found, strict=True):
                told = worker.track(min(_TURN, left))
                times.wall_ms += told["wall_ms"]
                times.cpu_ms += told["cpu_ms"]
                on_frames(len(told["wall_ms"]))
            left -= _TURN
    return found


class _Worker:
    """A contender that has opened its bundle; a context manager, at whose end it ends."""

    def __init__(self, contender: Contender, course: Course) -> None:
        self._contender, self._course = contender, course

    def __enter__(self) -> _Worker:
        self._process = subprocess.Popen(
            running_ours("sam2lite.bench.against.worker", "run"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        order = {**vars(self._contender), **vars(self._course)}
        try:
            self._asked(json.dumps(order))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def track(self, frames: int) -> dict[str, Any]:
        """Return what frames took."""
        return self._asked(str(frames))

    def _asked(self, line: str) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        told: dict[str, Any] = json.loads(answer) if answer else {"error": "its process ended"}
        if "error" in told:
            raise SessionError(f"{self._contender.backend}: {told['error']}")
        return told
