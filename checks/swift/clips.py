"""What the recorded clips do, frame by frame, and what is planted in the graphs' answers.

A network of random weights sees every object on every frame. So that absent and lost objects and
equal candidates come up, some answers are changed, the same ones for both loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

Arrays = dict[str, np.ndarray]
Edit = Callable[[Arrays], None]


def absent(outputs: Arrays) -> None:
    """Let a decoder say that its object is not there."""
    outputs["object_score_b1"][:] = -0.25


def on_the_edge(outputs: Arrays) -> None:
    """Let a decoder give the score that just counts as absent."""
    outputs["object_score_b1"][:] = 0.0


def tied(outputs: Arrays) -> None:
    """Let two candidates be the best."""
    best = outputs["iou_bm"].max() + 0.125
    outputs["iou_bm"][0, [1, 3]] = best


def preferring(candidate: int) -> Edit:
    """Let one candidate be the best."""

    def prefer(outputs: Arrays) -> None:
        outputs["iou_bm"][0, candidate] = outputs["iou_bm"].max() + 0.125

    return prefer


def undecided(outputs: Arrays) -> None:
    """Let a decoder give a number that is not finite."""
    outputs["iou_bm"][0, 2] = np.nan


def unwritten(outputs: Arrays) -> None:
    """Let a memory encoder give a number that is not finite."""
    outputs["token_value_bnc"][0, 5, 7] = np.inf


@dataclass(frozen=True)
class Step:
    """One call of the loop.

    Attributes:
        do: `start`, `prompt`, `track` or `remove`.
        id: of the object.
        points: (x, y) in source pixels.
        labels: one a point.
        box: x1, y1, x2, y2, or None.
        edits: what is planted, by graph and by which of its calls in this step.
    """

    do: str
    id: int = 0
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: tuple[float, float, float, float] | None = None
    edits: Mapping[tuple[str, int], Edit] = field(default_factory=dict)


@dataclass(frozen=True)
class Clip:
    """A clip and how it is recorded.

    Attributes:
        name: of its folder.
        width: of its frames, px.
        height: of its frames, px.
        rungs: that are loaded, px; ascending.
        falls_after: frames that are tracked before the rung falls to the lowest; None where no
            controller runs. The Swift loop is then given a budget that no frame keeps.
        target: whose packages the manifest names.
        steps: the calls.
    """

    name: str
    width: int
    height: int
    rungs: tuple[int, ...]
    falls_after: int | None
    target: str
    steps: tuple[Step, ...]


def _frame(edits: Mapping[tuple[str, int], Edit] | None = None) -> tuple[Step, ...]:
    return (Step("start"), Step("track", edits=edits or {}))


_DECODER, _MEMORY = "mask_decoder", "memory_encoder"

PROMPTS = Clip(
    name="prompts",
    width=176,
    height=132,
    rungs=(160,),
    falls_after=None,
    target="ios18",
    steps=(
        Step("start"),
        Step("prompt", 1, ((60, 50),), (1,)),
        Step("prompt", 2, box=(90.5, 40.0, 176.0, 120.25)),
        Step("track"),
        *_frame({(_DECODER, 0): preferring(2), (_DECODER, 1): preferring(1)}),
        *_frame({(_DECODER, 1): preferring(3)}),
        # A correction of a stored frame.
        Step("prompt", 1, ((62, 52), (90, 20)), (1, 0), edits={(_DECODER, 0): preferring(1)}),
        *_frame(),
        *_frame({(_DECODER, 1): absent}),
        Step("prompt", 2, ((120, 70),), (1,)),  # a correction of a frame where it was absent
        *_frame({(_DECODER, 0): tied, (_DECODER, 1): on_the_edge}),
        *_frame({(_MEMORY, 0): unwritten}),
        Step("prompt", 1, ((66, 55),), (1,)),  # a correction of a lost frame
        *_frame({(_DECODER, 0): undecided}),
        Step("start"),
        Step("prompt", 1, ((64, 54),), (1,)),  # a new prompt before the frame is tracked
        Step("track"),
        *_frame(),
        Step("remove", 2),
        *_frame(),
        Step("start"),
        Step("prompt", 2, ((120, 80),), (1,)),  # anew, with nothing remembered
        Step("prompt", 1, ((30, 30),), (0,)),  # a third anchor: the second makes room
        Step("track"),
        *_frame(),
        *_frame(),
    ),
)

RUNGS = Clip(
    name="rungs",
    width=400,
    height=340,
    rungs=(96, 160),
    falls_after=6,
    target="ios17",
    steps=(
        Step("start"),
        Step("prompt", 7, ((200, 170),), (1,)),
        Step("track"),
        *(step for _ in range(8) for step in _frame()),
    ),
)

CLIPS = (PROMPTS, RUNGS)
