"""Runs the frame-time controller against simulated devices.

    python benchmarks/controller_plants.py [--seeds 20] [--json]

Every device is a list of frame times per rung, a load that multiplies them, and log-normal noise.
The load goes 1 -> 1.46 -> 1 (48 -> 70 -> 48 ms), `PHASE_FRAMES` each, under budgets drawn between
the device's bounds; then the budget is put within 3 % of one rung's time and the load stays.

A rung is right when it is the highest that fits. Within 4 % of a rung's time either neighbour
counts, because 5 % of noise cannot tell them apart in 15 frames. On the continuous device, whose
rungs are 8 px apart, a frame is right within 10 % of the budget. A step is settled where ten right
frames in a row begin.

Beside the controller's presets there are variants that each lack something: `p-only` has no ki and
kd, `no-hysteresis` says it, and `no-model` has the published gains with everything that the PID
itself can have (normalised error, anti-windup, hysteresis, dwell), but the raw frame time.
"""

import argparse
import json
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from sam2lite.cli.app import run_app
from sam2lite.runtimes.controller import FrameController
from sam2lite.runtimes.controller.presets import PRESETS

DEFAULT, PAPER = PRESETS["default"], PRESETS["paper"]
PRESETS.update(
    {
        "p-only": DEFAULT._replace(gains=DEFAULT.gains._replace(ki=0.0, kd=0.0)),
        "no-hysteresis": DEFAULT._replace(hysteresis=0.0),
        "no-model": PAPER._replace(
            gains=PAPER.gains._replace(integral_zone=DEFAULT.gains.integral_zone),
            normalised=True,
            hysteresis=DEFAULT.hysteresis,
            dwell=DEFAULT.dwell,
        ),
    }
)

RUNGS = (240, 288, 336, 384, 432, 480)
LOADS = (1.0, 70 / 48, 1.0)
PHASE_FRAMES = 150
STEADY_FRAMES = 100  # the last ones of a phase
ROW_FRAMES = 10
TIE = 0.04
LATE = 0.10


@dataclass(frozen=True)
class Device:
    """Frame times in ms per rung in px, ascending."""

    name: str
    times_ms: dict[int, float]
    continuous: bool = False

    def is_right(self, rung: int, load: float, budget_ms: float) -> bool:
        """Return whether `rung` is what the controller should hold."""
        if self.continuous:
            return abs(self.times_ms[rung] * load / budget_ms - 1) <= LATE
        budgets = [budget_ms * (1 + tie) for tie in (-TIE, 0.0, TIE)]
        return rung in {self.highest(load, budget) for budget in budgets}

    def highest(self, load: float, budget_ms: float) -> int:
        """Return the highest rung that fits, or the lowest one."""
        fitting = [rung for rung, time in self.times_ms.items() if time * load <= budget_ms]
        return max(fitting, default=min(self.times_ms))


def quadratic(full_ms: float, rungs: Sequence[int]) -> dict[int, float]:
    """Return times of a device with a tenth of fixed cost."""
    return {rung: full_ms * (0.1 + 0.9 * (rung / max(rungs)) ** 2) for rung in rungs}


def geometric(ratios: Sequence[float]) -> dict[int, float]:
    """Return times that grow by the given ratios, up to 52 ms."""
    times = [52.0]
    for ratio in reversed(ratios):
        times.insert(0, times[0] / ratio)
    return dict(zip(RUNGS, times, strict=True))


DEVICES = (
    Device("continuous", quadratic(48, range(240, 481, 8)), continuous=True),
    Device("measured", dict(zip(RUNGS, (14, 19, 26, 33, 42, 52), strict=True))),
    Device("quadratic", quadratic(52, RUNGS)),
    Device("ratio 1.3", geometric([1.3] * 5)),
    Device("ratio 1.5", geometric([1.5] * 5)),
    Device("1.3 and 1.5", geometric([1.3, 1.5, 1.3, 1.5, 1.3])),
)


@dataclass(frozen=True)
class Result:
    """One row; None where there was nothing to measure."""

    device: str
    preset: str
    noise_percent: float
    steps: int
    settled_in_15_percent: float
    settle_frames_p50: int | None  # of the steps that settled
    settle_frames_p95: int | None
    right_percent: float  # of the steady frames
    changes_per_50: float  # rung changes, steady
    ties_changes_per_50: float | None  # with the budget within 3 % of a rung's time
    mean_error_percent: float  # |time / budget - 1|, steady; on a ladder mostly the rungs' gaps
    scale_travel: float  # mean |change of the continuous scale| per frame, steady


@dataclass(frozen=True)
class Frame:
    """What one frame ran at, and what it took without the noise."""

    rung: int
    scale: float
    time_ms: float


def play(
    device: Device, preset: str, budget_ms: float, loads: Sequence[float], noise: float, seed: int
) -> list[Frame]:
    """Run the controller through one load per frame."""
    rng = random.Random(seed)
    controller = FrameController(budget_ms, list(device.times_ms), preset)
    frames = []
    for load in loads:
        rung = controller.rung
        time_ms = device.times_ms[rung] * load
        state = controller.observe(time_ms * math.exp(noise * rng.gauss(0, 1)))
        frames.append(Frame(rung, state.scale, time_ms))
    return frames


def changes(frames: Sequence[Frame]) -> float:
    """Return rung changes per 50 frames."""
    count = sum(a.rung != b.rung for a, b in pairwise(frames))
    return 50 * count / (len(frames) - 1)


def settle_frames(right: Sequence[bool]) -> int | None:
    """Return the first frame on which a row of right ones begins."""
    starts = range(len(right) - ROW_FRAMES + 1)
    return next((i for i in starts if all(right[i : i + ROW_FRAMES])), None)


def budgets(device: Device, seeds: int) -> list[float]:
    """Return the budgets of the runs, ms: 33.3, or between all rungs saturated and none needed."""
    if device.continuous:
        return [33.3] * seeds
    times, rng = list(device.times_ms.values()), random.Random(0)
    return [rng.uniform(0.95 * times[0], 1.3 * times[-1]) for _ in range(seeds)]


def tie_changes(device: Device, preset: str, noise: float) -> float:
    """Return the mean rung changes per 50 frames with budgets within 3 % of a rung's time."""
    runs = [
        play(device, preset, time * (1 + percent / 100), [1.0] * 500, noise, seed=percent)
        for time in list(device.times_ms.values())[1::2]
        for percent in range(-3, 4)
    ]
    return statistics.mean(changes(frames[50:]) for frames in runs)


def measure(device: Device, preset: str, noise: float, seeds: int) -> Result:
    """Run all budgets and sum up."""
    loads = [load for load in LOADS for _ in range(PHASE_FRAMES)]
    settled, right_share, moved, errors, travel = [], [], [], [], []
    for seed, budget_ms in enumerate(budgets(device, seeds)):
        frames = play(device, preset, budget_ms, loads, noise, seed)
        for start in range(0, len(frames), PHASE_FRAMES):
            phase = frames[start : start + PHASE_FRAMES]
            right = [device.is_right(frame.rung, loads[start], budget_ms) for frame in phase]
            steady = phase[-STEADY_FRAMES:]
            settled.append(settle_frames(right))
            right_share.append(statistics.mean(right[-STEADY_FRAMES:]))
            moved.append(changes(steady))
            errors += [abs(frame.time_ms / budget_ms - 1) for frame in steady]
            travel += [abs(a.scale - b.scale) for a, b in pairwise(steady)]
    done = sorted(count for count in settled if count is not None)
    return Result(
        device=device.name,
        preset=preset,
        noise_percent=100 * noise,
        steps=len(settled),
        settled_in_15_percent=100 * sum(count <= 15 for count in done) / len(settled),
        settle_frames_p50=done[len(done) // 2] if done else None,
        settle_frames_p95=done[int(0.95 * len(done))] if done else None,
        right_percent=100 * statistics.mean(right_share),
        changes_per_50=statistics.mean(moved),
        ties_changes_per_50=None if device.continuous else tie_changes(device, preset, noise),
        mean_error_percent=100 * statistics.mean(errors),
        scale_travel=statistics.mean(travel),
    )


def table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table."""
    head = (
        "| device | preset | noise % | settled <= 15 % | settle p50 / p95 | right % "
        "| changes / 50 | at a tie | mean abs error % | scale travel |"
    )
    rows = [
        f"| {r.device} | {r.preset} | {r.noise_percent:.0f} | {r.settled_in_15_percent:.0f} "
        f"| {_cell(r.settle_frames_p50)} / {_cell(r.settle_frames_p95)} | {r.right_percent:.1f} "
        f"| {r.changes_per_50:.2f} | {_cell(r.ties_changes_per_50)} "
        f"| {r.mean_error_percent:.1f} | {r.scale_travel:.4f} |"
        for r in results
    ]
    return "\n".join([head, "|---" * 10 + "|", *rows])


def _cell(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def main() -> None:
    """Print the results of all presets."""
    parser = argparse.ArgumentParser(description="Frame-time controller on simulated devices.")
    parser.add_argument("--seeds", type=int, default=20, help="budgets per device")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    results = [
        measure(device, preset, noise, options.seeds)
        for preset in PRESETS
        for noise in (0.0, 0.05)
        for device in DEVICES
    ]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        print(table(results))


if __name__ == "__main__":
    run_app(main)
