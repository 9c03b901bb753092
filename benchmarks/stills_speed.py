"""How long a training clip takes to make, by kind, beside a training step of the same size.

    .venv/bin/python benchmarks/stills_speed.py ../shared/real

Processor time of one thread, so that a busy machine disturbs little.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch

from sam2lite.cli.app import run_app
from sam2lite.data.clips import training_config
from sam2lite.data.stills import PictureBank, open_stills, split_stills, still_clip
from sam2lite.models.registry import load_model
from sam2lite.training.batches import BatchShape, make_batch
from sam2lite.training.clip import of_generated
from sam2lite.training.losses import loss_weights, rollout_loss
from sam2lite.training.rollout import Simulation, rollout
from sam2lite.training.run.fine_tuning import FINE_TUNING

CLIPS = 30


def main() -> None:
    """Print one line of JSON for each shape of batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stills", help="folder of stills")
    path = parser.parse_args().stills
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    bank = PictureBank(split_stills(open_stills(path).stills)[0])
    network = load_model("tiny").model.train().to(memory_format=torch.channels_last)
    weights = loss_weights("sam2lite")
    shapes = {shape for phase in FINE_TUNING if phase.stage == 1 for shape in phase.batches}

    def step(shape: BatchShape, seed: int) -> None:
        batch = make_batch((seed,), shape, data=path)
        began = time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            output = rollout(network, batch, Simulation())
        torch.stack(list(rollout_loss(output, weights, 1).values())).sum().backward()  # type: ignore[no-untyped-call]
        steps.append(time.process_time() - began)

    for shape in sorted(shapes, key=lambda shape: (shape.side, shape.frames)):
        steps: list[float] = []
        for seed in range(3):
            step(shape, seed)
        row = {
            "side": shape.side,
            "frames": shape.frames,
            "clips": shape.clips,
            "still_ms": _ms(partial(_still, bank, shape)),
            "generated_ms": _ms(partial(_generated, shape)),
            "step_ms_per_clip": round(1e3 * min(steps) / shape.clips, 1),
        }
        print(json.dumps(row), flush=True)


def _still(bank: PictureBank, shape: BatchShape, rng: np.random.Generator) -> None:
    still_clip(rng, bank, shape.side, shape.frames)


def _generated(shape: BatchShape, rng: np.random.Generator) -> None:
    of_generated(rng, training_config(shape.side, shape.frames))


def _ms(make: Callable[[np.random.Generator], object]) -> float:
    rng = np.random.default_rng(0)
    make(rng)
    began = time.process_time()
    for _ in range(CLIPS):
        make(rng)
    return round(1e3 * (time.process_time() - began) / CLIPS, 1)


if __name__ == "__main__":
    run_app(main)
