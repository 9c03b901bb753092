"""What the last mask as a hint is worth on tracked frames, beside memory alone.

    .venv/bin/python benchmarks/last_mask.py [--model NAME|PATH]

Both run with the same weights, on the same held-out clips, from the same click. The weights have
learned both: training withholds the hint from a fifth of the objects.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

import torch

from sam2lite.cli.app import run_app
from sam2lite.models.registry import load_model
from sam2lite.training.validation import SHAPE, UNAIDED, validate, validation_batches

CLIPS = 40


def main() -> None:
    """Print the scores of both as JSON, 0 to 100."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny")
    model = load_model(parser.parse_args().model).model
    torch.set_num_threads(1)
    batches = validation_batches(CLIPS)
    rows = {}
    for name, share in (("memory alone", 0.0), ("last mask and memory", 1.0)):
        score = validate(model, batches, dataclasses.replace(UNAIDED, previous_mask=share))
        rows[name] = {key: round(100 * value, 1) for key, value in score._asdict().items()}
    print(
        json.dumps({"clips": CLIPS, "frames": SHAPE.frames, "side": SHAPE.side, **rows}, indent=1)
    )


if __name__ == "__main__":
    run_app(main)
