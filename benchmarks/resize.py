"""Shrinking a frame to the network's input: time, and distance from exact area averaging.

.venv/bin/python benchmarks/resize.py --video FILE
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from sam2lite.cli.app import run_app
from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.runtimes.geometry import stretched
from sam2lite.runtimes.resampling.exact_linear import in_whole_numbers
from sam2lite.runtimes.video.source import open_source

WIDTH, HEIGHT = 1280, 720
RUNGS = (480, 384, 240)

Resize = Callable[[np.ndarray, int, int], np.ndarray]


def by_interpolation(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize as is quickest on this processor."""
    resized: np.ndarray = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized


def halved(image: np.ndarray, side: int, resize: Resize) -> np.ndarray:
    """Do as `stretched`, with another filter."""
    while max(image.shape[:2]) >= 2 * side:
        rows, columns = (
            length // 2 if length >= 2 * side else length for length in image.shape[:2]
        )
        image = resize(image, rows, columns)
    return resize(image, side, side)


METHODS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "INTER_AREA": lambda image, side: cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA),
    "INTER_LINEAR": lambda image, side: cv2.resize(
        image, (side, side), interpolation=cv2.INTER_LINEAR
    ),
    "halving, then INTER_LINEAR": lambda image, side: halved(image, side, by_interpolation),
    "halving, then INTER_LINEAR_EXACT": lambda image, side: stretched(image, side, side),
    "the same in NumPy": lambda image, side: halved(image, side, in_whole_numbers),
}


def first_frame(video: str | None) -> np.ndarray:
    """Return a frame of 1280x720 in BGR: of a video, or of a procedural clip."""
    if video is None:
        config = ClipConfig(height=HEIGHT, width=WIDTH, frames=3)
        return np.ascontiguousarray(generate_clip(0, config).frames_rgb_thwc[0][..., ::-1])
    with open_source(video) as source:
        frame = next(iter(source))
    resized: np.ndarray = cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return resized


def measure(frame: np.ndarray, threads: int, rounds: int) -> list[dict[str, object]]:
    """Return a row per rung and method; methods take turns within each round."""
    cv2.setNumThreads(threads)
    rows: list[dict[str, object]] = []
    for rung in RUNGS:
        exact = METHODS["INTER_AREA"](frame, rung).astype(np.float64)
        times: dict[str, list[float]] = {name: [] for name in METHODS}
        for _ in range(rounds):
            for name, method in METHODS.items():
                start = time.perf_counter()
                method(frame, rung)
                times[name].append(1e3 * (time.perf_counter() - start))
        for name, method in METHODS.items():
            error = np.mean((method(frame, rung).astype(np.float64) - exact) ** 2)
            psnr_db = round(float(10 * np.log10(255**2 / error)), 1) if error else None
            rows.append(
                {
                    "threads": threads,
                    "rung": rung,
                    "method": name,
                    "ms": round(statistics.median(times[name]), 3),
                    "psnr_db": psnr_db,
                }
            )
    return rows


def main() -> None:
    """Measure with one and two OpenCV threads and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", help="take its first frame instead of a procedural one")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    frame = first_frame(args.video)
    rows = measure(frame, 1, args.rounds) + measure(frame, 2, args.rounds)
    if args.json:
        print(json.dumps(rows, indent=1))
        return
    print("| threads | rung | method | ms | PSNR against INTER_AREA, dB |")
    print("|-|-|-|-|-|")
    for row in rows:
        print(f"| {' | '.join(str(value) for value in row.values())} |")
    print(f"{args.rounds} rounds, load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    run_app(main)
