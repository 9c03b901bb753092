"""How fast procedural clips are made on one core: prints JSON, frames per second over 3 runs.

    python benchmarks/clip_speed.py

`training` clips have every effect, `plain` ones are those of `ClipConfig()`. The first clips of a
process also draw the textures that later ones share; they are timed apart, as `cold`.
"""

import json
import platform
import statistics
import time
from typing import Any

import cv2

from sam2lite.cli.app import run_app
from sam2lite.data.clips import ClipConfig, generate_clip, training_config

CLIPS = 40
RUNS = 3


def measure_fps(first_seed: int, config: ClipConfig) -> float:
    """Return frames per second over `CLIPS` clips."""
    started = time.perf_counter()
    for seed in range(first_seed, first_seed + CLIPS):
        generate_clip(seed, config)
    return CLIPS * config.frames / (time.perf_counter() - started)


def measure(config: ClipConfig) -> dict[str, Any]:
    """Return the speed with `config`: of the first clips, and the spread over `RUNS` runs."""
    cold = measure_fps(0, config)
    runs = sorted(measure_fps((run + 1) * CLIPS, config) for run in range(RUNS))
    return {
        "size": [config.width, config.height],
        "frames_per_clip": config.frames,
        "fps": {
            "cold": round(cold, 1),
            "min": round(runs[0], 1),
            "median": round(statistics.median(runs), 1),
            "max": round(runs[-1], 1),
        },
    }


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    result = {
        "machine": platform.machine(),
        "opencv": cv2.__version__,
        "threads": 1,
        "clips_per_run": CLIPS,
        "runs": RUNS,
        "training": measure(training_config(160, 8)),
        "plain": measure(ClipConfig(height=256, width=256, frames=24)),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    run_app(main)
