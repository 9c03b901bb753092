"""An image encoder in PyTorch: device x dtype x torch.compile x batch, and beside it a whole frame.

    .venv/bin/python benchmarks/encoder.py [--models tiny sam2.1_hiera_tiny edgetam.pt] [--size 512]
        [--dtypes float32 bfloat16] [--batches 1 4] [--no-compile] [--json FILE]

Times are wall time of a batch, the device's work waited for, and are given for an image. The whole
frame is one tracked by our loop in PyTorch with one object, in FP32 at batch 1: what the encoder is
of it says what a faster encoder can win. Published names have random weights.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import table
from torch import Tensor, nn

from sam2lite.bench.machine_facts import describe_machine, load_average
from sam2lite.cli.app import run_app
from sam2lite.errors import Sam2LiteError
from sam2lite.evaluation.reference_tracker import ReferenceTracker
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import PUBLISHED
from sam2lite.models.sam2.network import build

_WARM_UP = 2
_BLOCKS = 5  # that are timed, of which the median is taken
_FRAMES = 12  # of the whole loop
DTYPES = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}

Encode = Callable[[Tensor], object]


def devices() -> list[str]:
    """Return what PyTorch can compute on here."""
    found = ["cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def wait_for(device: str) -> None:
    """Wait until a device has done what it was told to."""
    if device != "cpu":
        getattr(torch, device).synchronize()


def load(model: str, variant: str | None) -> LoadedModel:
    """Return a network; of a published name of SAM 2, one with random weights."""
    if model not in PUBLISHED:
        return load_model(model, variant=variant)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model}.pt"
        torch.save({"model": build(PUBLISHED[model]).state_dict()}, path)
        return load_model(str(path))


def milliseconds(encode: Encode, image_bchw: Tensor, device: str) -> float:
    """Return what a batch takes, ms: the median of a few blocks."""
    for _ in range(_WARM_UP):
        encode(image_bchw)
    wait_for(device)
    took = []
    for _ in range(_BLOCKS):
        began = time.perf_counter()
        encode(image_bchw)
        wait_for(device)
        took.append(1e3 * (time.perf_counter() - began))
    return statistics.median(took)


def encoder_rows(
    loaded: LoadedModel, size: int, arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Give the time of every combination; one that a device cannot do has a reason instead."""
    kinds = (False,) if arguments.no_compile else (False, True)
    for device, name, compiled in itertools.product(devices(), arguments.dtypes, kinds):
        module: nn.Module = loaded.host.module(loaded.model, "image_encoder").to(device)
        encode: Encode = torch.compile(module) if compiled else module
        for batch in arguments.batches:
            row: dict[str, Any] = {"device": device, "dtype": name}
            row.update(compiled=compiled, batch=batch)
            image = torch.randint(0, 256, (batch, 3, size, size), device=device).float()
            try:
                with (
                    torch.inference_mode(),
                    torch.autocast(device, DTYPES[name], enabled=name != "float32"),
                ):
                    row["ms_per_image"] = round(milliseconds(encode, image, device) / batch, 3)
            except (RuntimeError, Sam2LiteError) as error:
                row["reason"] = str(error).splitlines()[0]
            yield row
        module.cpu()


def whole_frame_ms(loaded: LoadedModel, size: int) -> float:
    """Return what a tracked frame of our loop in PyTorch takes, ms."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (_FRAMES, 360, 640, 3), np.uint8)
    tracker = ReferenceTracker(loaded, size)
    tracker.prompt(frames[0], points=[(320, 180)], frame_index=0)
    took = []
    for index, frame in enumerate(frames):
        began = time.perf_counter()
        tracker.track(frame, frame_index=index)
        took.append(1e3 * (time.perf_counter() - began))
    return statistics.median(took[_FRAMES // 2 :])


def measure(model: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return all that is known of one network."""
    loaded = load(model, arguments.variant)
    size = arguments.size or loaded.sizes[-1]
    loaded.check_size(size)
    rows = list(encoder_rows(loaded, size, arguments))
    whole = whole_frame_ms(loaded, size)
    return {"model": model, "size": size, "encoder": rows, "frame_ms": round(whole, 3)}


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Give the tables."""
    for network in report["networks"]:
        plain = [
            row["ms_per_image"]
            for row in network["encoder"]
            if (row["device"], row["dtype"], row["batch"], row["compiled"])
            == ("cpu", "float32", 1, False)
        ]
        rows = [
            [
                row["device"],
                row["dtype"],
                "yes" if row["compiled"] else "no",
                row["batch"],
                row.get("ms_per_image", row.get("reason")),
                f"{row['ms_per_image'] / plain[0]:.2f}x" if plain and "reason" not in row else "",
            ]
            for row in network["encoder"]
        ]
        header = ["device", "dtype", "compiled", "batch", "ms an image", "of the first"]
        yield f"\n{network['model']} at {network['size']} px\n\n{table(header, rows)}\n"
        if plain:
            yield (
                f"A tracked frame of the loop in PyTorch takes {network['frame_ms']:.1f} ms on the "
                f"CPU; the encoder is {plain[0] / network['frame_ms']:.0%} of it."
            )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=["tiny", "sam2.1_hiera_tiny"])
    parser.add_argument("--variant")
    parser.add_argument("--size", type=int, help="px; each network's largest if not given")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=["float32", "bfloat16"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--json", metavar="FILE", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    before = load_average()
    networks = [measure(model, arguments) for model in arguments.models]
    report: dict[str, Any] = {"networks": networks, "threads": arguments.threads}
    report["machine"] = dict(describe_machine(), load_average=[before, load_average()])
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(lines(report)) + "\n")


if __name__ == "__main__":
    run_app(main)
