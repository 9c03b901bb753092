"""What is done with a clip: prompts and frames in order, for any loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from sam2lite.runtimes.prompts import Prompt

FRAMES = 24
SIDE = 160  # px; the least whose cells outnumber the tokens of all pointers


class Step(NamedTuple):
    """An object is prompted on a frame, or all objects are tracked into it."""

    frame: int
    object_id: int | None = None
    prompt: Prompt | None = None


class Scenario(NamedTuple):
    """What is done, and of which kind the video is."""

    name: str
    steps: tuple[Step, ...]
    streaming: bool = True


class Record(NamedTuple):
    """One object on one frame."""

    frame: int
    object_id: int
    prompted: bool
    logits_hw: np.ndarray  # [S/4, S/4]
    score: float
    iou: float
    pointer: np.ndarray  # [256]


def played(
    scenario: Scenario,
    do: Callable[[Step], None],
    known: Callable[[], Iterable[int]],
    record: Callable[[int, int, bool], Record],
) -> list[Record]:
    """Return what a published loop decides at every step.

    Args:
        scenario: what is done.
        do: does one step.
        known: gives the ids of the objects that are followed.
        record: gives what was last decided on a frame about an object, and says that it was
            prompted there or not.
    """
    records: list[Record] = []
    for step in scenario.steps:
        do(step)
        records += [
            record(step.frame, object_id, step.prompt is not None)
            for object_id in known()
            if step.object_id in (None, object_id)
        ]
    return records


def prompted(frame: int, object_id: int = 1, **what: Any) -> Step:
    return Step(frame, object_id, Prompt(**what))


def tracked(first: int = 0, last: int = FRAMES - 1) -> tuple[Step, ...]:
    return tuple(Step(frame) for frame in range(first, last + 1))


def named(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.name == name)


def _disc(x: int, y: int, radius: int) -> np.ndarray:
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


CLICK: dict[str, Any] = {"points": [(70, 60)]}
BOX: dict[str, Any] = {"box": (40, 30, 110, 100)}
CLICKS: dict[str, Any] = {"points": [(70, 60), (90, 75), (20, 140)], "labels": [1, 1, 0]}
MASK: dict[str, Any] = {"mask": _disc(80, 70, 30)}
OTHER: dict[str, Any] = {"points": [(110, 100), (60, 120)], "labels": [1, 0]}
CORRECTION: dict[str, Any] = {"points": [(60, 100), (100, 40)], "labels": [1, 0]}

# Published loops of both kinds agree on these.
PLAIN = (
    Scenario("click", (prompted(0, **CLICK), *tracked())),
    Scenario("box", (prompted(0, **BOX), *tracked()), streaming=False),
    Scenario("clicks", (prompted(0, **CLICKS), *tracked())),
    Scenario("box and click", (prompted(0, **BOX, points=[(70, 60)]), *tracked())),
    Scenario("two objects", (prompted(0, **CLICK), prompted(0, 2, **OTHER), *tracked())),
    Scenario(
        "object added later",
        (prompted(0, **BOX), *tracked(last=5), prompted(6, 2, **OTHER), *tracked(6)),
        streaming=False,
    ),
    Scenario(
        "two conditioning frames",
        (prompted(0, **CLICK), *tracked(last=11), prompted(12, **BOX), *tracked(12)),
    ),
    Scenario(
        "one in the future",
        (prompted(0, **CLICK), prompted(12, **CLICKS), *tracked()),
        streaming=False,
    ),
    Scenario("the only one in the future", (prompted(9, **BOX), *tracked()), streaming=False),
)
# And not on these.
CONTESTED = (
    Scenario("mask", (prompted(0, **MASK), *tracked()), streaming=False),
    Scenario(
        "correction",
        (prompted(0, **CLICK), *tracked(last=9), prompted(9, **CORRECTION), *tracked(10)),
    ),
    Scenario(
        "mask on a tracked frame",
        (prompted(0, **BOX), *tracked(last=7), prompted(7, **MASK), *tracked(8)),
    ),
    Scenario("further click", (prompted(0, **CLICK), prompted(0, **CLICKS), *tracked())),
    Scenario(
        "further click after tracking",
        (prompted(0, **CLICK), *tracked(last=0), prompted(0, **CLICKS), *tracked(1)),
    ),
)
SCENARIOS = (*PLAIN, *CONTESTED)
# More than a frame sees.
CROWDED = Scenario(
    "many conditioning frames",
    (
        prompted(0, **BOX),
        *(prompted(frame, **CLICK) for frame in (3, 5, 6, 14, 20)),
        *tracked(),
    ),
    streaming=False,
)
