"""What the frame controller did: frame by frame, and in sum before, under and after a load."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sam2lite.bench.frame_loop import FrameRecord, LoopRun
from sam2lite.runtimes.measuring.percentiles import p50


@dataclass(frozen=True)
class Phase:
    """A stretch of frames under one load.

    Attributes:
        load: whether the frames come "before", "during" or "after" it; "none" without one.
        first_frame: counted from the first tracked frame, warm-up included.
        end_frame: the first one after it.
        rung: of its last frame, px.
        settled_frame: the first frame from which on the rung stays the same.
        rung_changes: how often a frame had another rung than the one before it, in this phase.
        p50_ms: median time of a frame.
        within_budget: share of frames that took no longer than the budget, 0..1.
        status: of the controller after the last frame.
    """

    load: str
    first_frame: int
    end_frame: int
    rung: int
    settled_frame: int
    rung_changes: int
    p50_ms: float
    within_budget: float
    status: str


def trace(run: LoopRun) -> list[dict[str, Any]]:
    """Return frame, rung, window, latency, age and status of every tracked frame, warm-up included.

    It is empty for a run without a controller.
    """
    return [
        {
            "frame": index,
            "rung": record.rung,
            "window": record.controller.window,
            "latency_ms": round(record.total_ms, 3),
            "age_ms": None if record.age_ms is None else round(record.age_ms, 3),
            "status": record.controller.status,
        }
        for index, record in enumerate(run.records)
        if record.controller is not None
    ]


def rung_changes(records: Sequence[FrameRecord]) -> list[int]:
    """Return the positions of the records whose rung is not that of the one before."""
    return [index for index, (a, b) in enumerate(pairwise(records), start=1) if a.rung != b.rung]


def phases(run: LoopRun, budget_ms: float) -> list[Phase]:
    """Sum up a run with a controller: one phase, or three where there was a load."""
    frames = len(run.records)
    if run.load_frames is None:
        return [_phase("none", run, 0, frames, budget_ms)]
    on, off = run.load_frames
    return [
        _phase("before", run, 0, on, budget_ms),
        _phase("during", run, on, off, budget_ms),
        _phase("after", run, off, frames, budget_ms),
    ]


def last_third_p50_ms(run: LoopRun) -> float:
    """Return the median time of the last third of the measured frames."""
    measured = run.measured
    return p50([record.total_ms for record in measured[2 * len(measured) // 3 :]])


def _phase(load: str, run: LoopRun, first: int, end: int, budget_ms: float) -> Phase:
    records = run.records[first:end]
    changes = rung_changes(records)
    state = records[-1].controller
    return Phase(
        load=load,
        first_frame=first,
        end_frame=end,
        rung=records[-1].rung,
        settled_frame=first + (changes[-1] if changes else 0),
        rung_changes=len(changes),
        p50_ms=p50([record.total_ms for record in records]),
        within_budget=round(sum(r.total_ms <= budget_ms for r in records) / len(records), 4),
        status="" if state is None else state.status,
    )
