"""The two things that `sam2lite-bench` measures: the frame loop, and every rung in turn."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.frame_loop import run_loop
from sam2lite.bench.load import CpuLoad
from sam2lite.bench.object_costs import block_frames, measure_objects, object_counts
from sam2lite.bench.report import Subject, loop_report, rungs_report
from sam2lite.bench.rung_costs import measure_rungs
from sam2lite.bench.startup import start
from sam2lite.device.sensors import sampled
from sam2lite.device.sensors.find import find_sensors
from sam2lite.device.sensors.sampler import Sampler
from sam2lite.runtimes.prompts import Prompt

# Told how many frames there will be, it returns what to call after each.
Progress = Callable[[int], Callable[[], None]]


@dataclass(frozen=True)
class Amount:
    """How much is measured.

    Attributes:
        frames: that count; with rungs, for each.
        warmup: frames before them.
        load: processes that compete for the cores in the second third of the frames that count.
    """

    frames: int
    warmup: int = 0
    load: int = 0


def loop_result(
    subject: Subject, prompts: Mapping[int, Prompt], amount: Amount, progress: Progress
) -> dict[str, Any]:
    """Measure the frame loop and, where there are several objects, what each further one costs.

    The latter is left out where there is a frame budget, for its rung would change meanwhile.

    Raises:
        Sam2LiteError: any of those of `startup.start` and `run_loop`.
    """
    counts = object_counts(len(prompts)) if subject.settings.budget_ms is None else []
    with_costs = len(counts) > 1
    # What a second object takes is not seen in a process that had two already.
    at_first = dict(list(prompts.items())[:1]) if with_costs else prompts
    cost_frames = len(counts) * block_frames(amount.frames) if with_costs else 0
    on_frame = progress(cost_frames + amount.warmup + amount.frames)
    feed = FrameFeed(subject.footage)
    with ExitStack() as stack:
        load = stack.enter_context(CpuLoad(amount.load)) if amount.load else None
        frame, _ = feed.take()
        started = start(subject.bundle.path, frame, at_first, subject.settings)
        segmenter = stack.enter_context(started.segmenter)
        costs = (
            measure_objects(segmenter, feed, prompts, amount.frames, on_frame)
            if with_costs
            else None
        )
        dropped_before = subject.footage.dropped_frames
        sampler = Sampler(find_sensors())
        run = run_loop(segmenter, feed, amount.frames, amount.warmup, load, on_frame, sampler)
        return loop_report(
            subject,
            run,
            startup_ms=started.startup_ms,
            dropped_frames=subject.footage.dropped_frames - dropped_before,
            load=amount.load,
            object_costs=costs,
            sensors=sampled.describe(sampler.sensors, sampler.readings, amount.frames),
        )


def rungs_result(
    subject: Subject, prompts: Mapping[int, Prompt], amount: Amount, progress: Progress
) -> dict[str, Any]:
    """Measure every rung of the bundle.

    Raises:
        Sam2LiteError: any of those of `measure_rungs`.
    """
    rungs = subject.bundle.manifest.rungs
    costs = measure_rungs(
        subject.bundle.path,
        rungs,
        FrameFeed(subject.footage),
        prompts,
        amount.frames,
        subject.settings,
        progress(len(rungs) * amount.frames),
    )
    return rungs_report(subject, costs)
