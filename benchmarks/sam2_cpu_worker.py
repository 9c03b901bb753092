"""One contender in a process of its own, for sam2_cpu.py: loads, then runs when told to.

Reads one line of JSON for each request from standard input and answers with one line:
{"frames": 2, "calls": 1} gives {"times": {"frame": [[wall s, CPU s], ...], "image_encoder": ...}}.
Thread pools and peak memory belong to a process, so every contender and thread count has its own.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sam2lite.runtimes.measuring.resident_memory import peak_rss_mb

SLOTS = (2, 4, 7)  # frames of memory that memory attention is measured with

# What a contender is loaded from, in the folder of a model and size; how, and its own options.
CONTENDERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Hugging Face": ("huggingface", "published", {"attention": "sdpa", "compiled": False}),
    "Hugging Face, eager attention": (
        "huggingface",
        "published",
        {"attention": "eager", "compiled": False},
    ),
    "Hugging Face, torch.compile": (
        "huggingface",
        "published",
        {"attention": "sdpa", "compiled": True},
    ),
    "ours, FP32": ("fp32", "ort", {}),
    "ours, INT8": ("int8", "ort", {}),
    "OpenVINO, our FP32 graphs": ("standard", "openvino", {}),
}


def loaded(contender: str, folder: Path, threads: int) -> Any:
    """Return a contender's loop: `HuggingFace` or `OurLoop`."""
    source, kind, options = CONTENDERS[contender]
    footage = np.load(folder.parent / "footage.npz")
    frames, (x, y) = list(footage["frames"]), map(int, footage["click"])
    if kind == "published":
        import torch
        from sam2_cpu_published import HuggingFace

        torch.set_num_threads(threads)
        return HuggingFace(folder / source, frames, (x, y), SLOTS, **options)
    from sam2_cpu_bundle import InOpenVino, KeptSessions, OurLoop

    opener = InOpenVino if kind == "openvino" else KeptSessions
    return OurLoop(folder / source, frames, (x, y), SLOTS, threads, opener)


def timed(call: Callable[[], Any]) -> list[float]:
    """Return wall and CPU seconds of a call, all threads of this process together."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return [time.perf_counter() - wall, time.process_time() - cpu]


def main() -> None:
    """Load the contender, say so, then answer requests until standard input ends."""
    contender, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    loop = loaded(contender, folder, threads)
    frame = np.load(folder.parent / "footage.npz")["frames"][2]
    mask = loop.frame(frame)  # the first with a full memory; what is compiled is compiled here
    np.save(folder / f"{contender}.npy", mask)
    peak_mb = peak_rss_mb()
    for part in loop.parts.values():
        part()
    print(json.dumps({"peak_mb": peak_mb}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        times = {"frame": [timed(lambda: loop.frame(frame)) for _ in range(request["frames"])]}
        for name, part in loop.parts.items():
            times[name] = [timed(part) for _ in range(request["calls"])]
        print(json.dumps({"times": times}), flush=True)


if __name__ == "__main__":
    main()
