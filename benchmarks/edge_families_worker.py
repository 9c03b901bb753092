"""One contender in a process of its own, for edge_families.py: loads, then runs when told to.

{"frames": 2} is answered by {"frame": [[wall s, CPU s], ...], "image_encoder": [ms, ...], ...}; see
`in_turn.py`. Stages are those of our bundles.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from frame_study import read_footage, take_any_torchvision
from in_turn import answer, timed
from sam2_cpu_loop import OneObject

from sam2lite.contracts.families.sam2 import POINTER_FRAMES
from sam2lite.runtimes.measuring.resident_memory import peak_rss_mb

NETWORK_FILE = "network.json"  # in the folder that contenders load from

Stages = dict[str, list[float]]


class Tracked(OneObject):
    """One object in a loop with our interface.

    Attributes:
        stages: of a bundle's frames, ms by name; PyTorch's loop has none.
    """

    def __init__(self, tracker: Any) -> None:
        """Take a `VideoSegmenter` or a `ReferenceTracker`."""
        self._tracker = tracker
        self.stages: Stages = {}

    def _point(self, frame_bgr: np.ndarray, click: tuple[int, int]) -> None:
        self._tracker.prompt(frame_bgr, points=[click], frame_index=0)

    def _tracked(self, frame_bgr: np.ndarray, index: int) -> np.ndarray:
        result = self._tracker.track(frame_bgr, frame_index=index)
        for name, ms in result.stage_ms.items():
            self.stages.setdefault(name, []).append(ms)
        mask: np.ndarray = result.objects[1].mask
        return mask


def in_pytorch(folder: Path, frame: np.ndarray, threads: int) -> OneObject:
    """Return our loop in PyTorch over the network as it was trained."""
    import torch

    from sam2lite.evaluation.reference_tracker import ReferenceTracker
    from sam2lite.models.registry import load_model

    torch.set_num_threads(threads)
    network = json.loads((folder / NETWORK_FILE).read_text())
    loaded = load_model(network["model"], variant=network["variant"])
    return Tracked(ReferenceTracker(loaded, network["size"]))


def published(folder: Path, frame: np.ndarray, threads: int) -> OneObject:
    """Return Hugging Face's loop."""
    take_any_torchvision()
    import torch
    from sam2_cpu_published import HuggingFace

    torch.set_num_threads(threads)
    return HuggingFace(folder / "huggingface", frame, attention="sdpa", compiled=False)


def bundled(precision: str, opener: str) -> Callable[[Path, np.ndarray, int], OneObject]:
    """Return what opens our bundle in a precision, its graphs run by a class of sam2_cpu_bundle."""

    def load(folder: Path, frame: np.ndarray, threads: int) -> OneObject:
        import sam2_cpu_bundle

        from sam2lite.runtimes.bundle import open_bundle

        bundle = getattr(sam2_cpu_bundle, opener)(open_bundle(str(folder / precision)))
        return Tracked(sam2_cpu_bundle.opened(bundle, threads))

    return load


# What each is loaded from, in the folder of a network; how.
CONTENDERS: dict[str, tuple[str, Callable[[Path, np.ndarray, int], OneObject]]] = {
    "PyTorch": (NETWORK_FILE, in_pytorch),
    "Hugging Face": ("huggingface", published),
    "ours, FP32": ("fp32", bundled("fp32", "KeptSessions")),
    "ours, INT8": ("int8", bundled("int8", "KeptSessions")),
    "OpenVINO, our FP32 graphs": ("standard", bundled("standard", "InOpenVino")),
}


def main() -> None:
    """Load the contender, say so, then answer requests until standard input ends."""
    contender, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    frames, click = read_footage(folder.parent)
    loop = CONTENDERS[contender][1](folder, frames[0], threads)
    loop.follow(frames[:2], click, POINTER_FRAMES + 1)
    np.save(folder / f"{contender}.npy", loop.frame(frames[2]))

    def measured(request: dict[str, int]) -> dict[str, list[Any]]:
        stages: Stages = {}
        if isinstance(loop, Tracked):
            loop.stages = stages
        times = [timed(lambda: loop.frame(frames[2])) for _ in range(request["frames"])]
        return {"frame": times, **stages}

    answer(measured, peak_rss_mb())


if __name__ == "__main__":
    main()
