"""What the exact resize of frames costs: processor time from a frame to the network's input.

    .venv/bin/python benchmarks/input_cost.py [--rounds 200] [--threads 1]

The same bytes everywhere (ADR 0015) against OpenCV's INTER_LINEAR, both in turn within each round:
with the filter alone exchanged, and as it was before, all colours at once. Milliseconds are of
processors, all threads together, so that a busy machine does not change them much.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from unittest import mock

import cv2
import numpy as np
from resize import HEIGHT, WIDTH, by_interpolation, first_frame, halved

from sam2lite.cli.app import run_app
from sam2lite.runtimes.geometry import Scratch, network_input
from sam2lite.runtimes.resampling import exact_linear

RUNGS = (240, 288, 336, 384, 432, 480)
Way = Callable[[np.ndarray, int, Scratch], np.ndarray]


def exact(frame: np.ndarray, rung: int, scratch: Scratch) -> np.ndarray:
    """Do as the frame loop does."""
    return network_input(frame, rung, scratch)


def by_opencv(frame: np.ndarray, rung: int, scratch: Scratch) -> np.ndarray:
    """Do the same with INTER_LINEAR throughout."""
    with mock.patch.object(exact_linear, "_filter_for", lambda *sizes: cv2.INTER_LINEAR):
        return network_input(frame, rung, scratch)


def colours_at_once(frame: np.ndarray, rung: int, scratch: Scratch) -> np.ndarray:
    """Do as before ADR 0015: INTER_LINEAR on all colours, then part them."""
    small = halved(frame, rung, by_interpolation)
    image_bchw = np.empty((1, 3, rung, rung), np.uint8)
    for channel in range(3):
        image_bchw[0, channel] = small[..., 2 - channel]
    return image_bchw


WAYS: dict[str, Way] = {
    "exact, as shipped": exact,
    "the same by INTER_LINEAR": by_opencv,
    "INTER_LINEAR, colours at once": colours_at_once,
}


def measure(frame: np.ndarray, rung: int, rounds: int) -> dict[str, list[float]]:
    """Return CPU milliseconds of every round, by way."""
    scratch = Scratch()
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for way in WAYS.values():
        way(frame, rung, scratch)
    for _ in range(rounds):
        for name, way in WAYS.items():
            began = time.process_time()
            way(frame, rung, scratch)
            times[name].append(1e3 * (time.process_time() - began))
    return times


def main() -> None:
    """Print a row for each size of input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1, help="of OpenCV")
    arguments = parser.parse_args()
    cv2.setNumThreads(arguments.threads)
    frame = first_frame(None)
    print(f"| input, px | {' | '.join(WAYS)} |\n|-|{'-|' * len(WAYS)}")
    for rung in RUNGS:
        cells = []
        for times in measure(frame, rung, arguments.rounds).values():
            low, middle, high = statistics.quantiles(times, n=4)
            cells.append(f"{middle:.2f} ({low:.2f}..{high:.2f})")
        print(f"| {rung} | {' | '.join(cells)} |", flush=True)
    print(
        f"CPU ms of a frame of {WIDTH}x{HEIGHT}, median and quartiles of {arguments.rounds} rounds "
        f"in turn, {arguments.threads} threads, load average {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    run_app(main)
