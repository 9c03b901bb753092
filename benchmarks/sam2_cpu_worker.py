"""One contender in a process of its own, for sam2_cpu.py: loads, then runs when told to.

{"frames": 2, "calls": 1} is answered by {"frame": [[wall s, CPU s], ...], "image_encoder": ...};
see `in_turn.py`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from frame_study import read_footage
from in_turn import answer, timed
from sam2_cpu_loop import FullLoop

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


def loaded(contender: str, folder: Path, frame: np.ndarray, threads: int) -> FullLoop:
    """Return a contender's loop, for videos of frames like this one."""
    source, kind, options = CONTENDERS[contender]
    if kind == "published":
        import torch
        from sam2_cpu_published import HuggingFace

        torch.set_num_threads(threads)
        return HuggingFace(folder / source, frame, **options)
    from sam2_cpu_bundle import InOpenVino, KeptSessions, OurLoop

    opener = InOpenVino if kind == "openvino" else KeptSessions
    return OurLoop(folder / source, threads, opener)


def main() -> None:
    """Load the contender, say so, then answer requests until standard input ends."""
    contender, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    frames, click = read_footage(folder.parent)
    loop, frame = loaded(contender, folder, frames[0], threads), frames[2]
    loop.fill(frames, click)
    mask = loop.frame(frame)  # the first with a full memory; what is compiled is compiled here
    np.save(folder / f"{contender}.npy", mask)
    peak_mb = peak_rss_mb()
    parts = loop.parts(frames[1], SLOTS)
    for part in parts.values():
        part()

    def measured(request: dict[str, int]) -> dict[str, list[list[float]]]:
        times = {"frame": [timed(lambda: loop.frame(frame)) for _ in range(request["frames"])]}
        for name, part in parts.items():
            times[name] = [timed(part) for _ in range(request["calls"])]
        return times

    answer(measured, peak_mb)


if __name__ == "__main__":
    main()
