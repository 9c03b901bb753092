"""The frame controller under a load that comes and goes: does it hold the highest rung that fits.

    python benchmarks/controller_load.py --bundle DIR

First the median time of every rung is measured, alone and under a competing load. Then, in each of
three runs, the loop has a budget that lies between two rungs; the load comes after a third of the
frames and goes after two thirds. For each third: which rung fits by the medians, after how many
frames it was held, and how often the rung changed in the last 50 frames. Prints JSON.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sam2lite.bench.controller_trace import phases, rung_changes
from sam2lite.bench.frame_feed import Footage, FrameFeed
from sam2lite.bench.frame_loop import FrameRecord, run_loop
from sam2lite.bench.load import CpuLoad
from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.bench.rung_costs import measure_rungs
from sam2lite.bench.startup import LoopSettings, start
from sam2lite.bench.synthetic import SyntheticFootage
from sam2lite.cli.app import run_app, share_threads
from sam2lite.cli.bundles import bundle_or_default
from sam2lite.runtimes.prompts import Prompt

RUNS = 3
WARMUP = 10
HELD_FRAMES = 30  # a rung that stays so long is held
STEADY_FRAMES = 50

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def controller_load(
    bundle: Annotated[Path | None, typer.Option(help="The default one if not given.")] = None,
    budget_ms: Annotated[
        float | None, typer.Option(help="Between the two largest rungs, alone, if not given.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Of the controller: default or paper.")] = "default",
    load: Annotated[int, typer.Option(min=1, help="Competing processes.")] = 1,
    frames: Annotated[int, typer.Option(min=3 * STEADY_FRAMES, help="Frames of a run.")] = 450,
    rung_frames: Annotated[int, typer.Option(min=1, help="Frames of each rung, before.")] = 60,
) -> None:
    """Measure every rung alone and under load, then the controller with the load on and off."""
    opened = bundle_or_default(bundle)
    share_threads(opened, None)
    rungs = opened.manifest.rungs
    footage = SyntheticFootage()
    prompts = {1: Prompt(footage.clicks(1))}
    busy = [load_average()]
    alone = _rung_times(opened.path, rungs, footage, prompts, rung_frames, 0)
    loaded = _rung_times(opened.path, rungs, footage, prompts, rung_frames, load)
    both = [alone, loaded]
    budget = budget_ms or round(math.sqrt(alone[rungs[-1]] * alone[rungs[-2]]), 2)
    settings = LoopSettings(budget_ms=budget, preset=preset)
    runs = []
    for index in range(RUNS):
        print(f"run {index + 1} of {RUNS}, budget {budget} ms", file=sys.stderr)
        runs.append(_run(opened.path, footage, prompts, settings, frames, load, both))
    busy.append(load_average())
    result = {
        "machine": {**describe_machine(), "load_average": busy},
        "bundle_sha256": opened.sha256,
        "load": load,
        "p50_ms": {"alone": alone, "loaded": loaded},
        # Where a larger rung took less time, somebody else used the machine; measure again.
        "rungs_in_order": all(
            list(times.values()) == sorted(times.values(), reverse=True) for times in both
        ),
        "budget_ms": budget,
        "preset": preset,
        "runs": runs,
    }
    print(json.dumps(result, indent=1))


def _rung_times(
    path: str,
    rungs: Sequence[int],
    footage: Footage,
    prompts: dict[int, Prompt],
    frames: int,
    load: int,
) -> dict[int, float]:
    """Return the median milliseconds of a frame by rung, under so many competing processes."""
    with CpuLoad(load) as competing:
        competing.start()
        costs = measure_rungs(path, rungs, FrameFeed(footage), prompts, frames)
    return {cost.rung: cost.p50_ms for cost in costs}


def _run(
    path: str,
    footage: Footage,
    prompts: dict[int, Prompt],
    settings: LoopSettings,
    frames: int,
    load: int,
    times_ms: list[dict[int, float]],
) -> list[dict[str, Any]]:
    """Run the loop once and return its three thirds."""
    feed = FrameFeed(footage)
    with CpuLoad(load) as competing:
        frame, _ = feed.take()
        with start(path, frame, prompts, settings).segmenter as segmenter:
            run = run_loop(segmenter, feed, frames, WARMUP, competing)
    alone, loaded = times_ms
    thirds = []
    budget_ms = settings.budget_ms or math.inf
    for phase, expected_ms in zip(phases(run, budget_ms), (alone, loaded, alone), strict=True):
        records = run.records[phase.first_frame : phase.end_frame]
        fitting = _highest_fitting(expected_ms, budget_ms)
        thirds.append(
            {
                "load": phase.load,
                "fitting_rung": fitting,
                "last_rung": phase.rung,
                "status": phase.status,
                "held_after_frames": _held_after(records, fitting),
                "changes_in_last_50": len(rung_changes(records[-STEADY_FRAMES:])),
                "p50_ms": phase.p50_ms,
                "within_budget": phase.within_budget,
            }
        )
    return thirds


def _highest_fitting(times_ms: dict[int, float], budget_ms: float) -> int:
    """Return the largest rung within the budget, or the smallest where none is."""
    return max((r for r, ms in times_ms.items() if ms <= budget_ms), default=min(times_ms))


def _held_after(records: Sequence[FrameRecord], rung: int) -> int | None:
    """Return after how many frames a rung was held for the first time, or None."""
    held = 0
    for index, record in enumerate(records):
        held = held + 1 if record.rung == rung else 0
        if held == HELD_FRAMES:
            return index + 1 - HELD_FRAMES
    return None


if __name__ == "__main__":
    run_app(app)
