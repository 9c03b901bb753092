"""What studies of whole frames on a CPU have in common: the footage, the masks, the conditions."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from figures import paragraph

from sam2lite.data.clips import ClipConfig, first_click, generate_clip

FOOTAGE = "footage.npz"


def take_any_torchvision() -> None:
    """Let torchvision be imported though it is for another torch than there is.

    Hugging Face's EdgeTAM wants its name alone, and none of the operators that it declares.
    """
    sys.modules.setdefault("torchvision._meta_registrations", ModuleType("unused"))


def write_footage(folder: Path) -> None:
    """Write three frames of 1280x720 and a click on the first, unless they are there."""
    path = folder / FOOTAGE
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    clip = generate_clip(5, ClipConfig(height=720, width=1280, frames=3))
    frames = np.ascontiguousarray(clip.frames_rgb_thwc[..., ::-1])
    np.savez(path, frames=frames, click=first_click(clip, clip.object_ids[0]))


def read_footage(folder: Path) -> tuple[list[np.ndarray], tuple[int, int]]:
    """Return frames, uint8 [height, width, 3] in BGR, and the click, x and y in px."""
    found = np.load(folder / FOOTAGE)
    x, y = map(int, found["click"])
    return list(found["frames"]), (x, y)


def agreement(folder: Path, contender: str, base: str) -> float | None:
    """Return the IoU of two contenders' masks; None if one is not there, or both are empty."""
    paths = [folder / f"{name}.npy" for name in (contender, base)]
    if not all(path.exists() for path in paths):
        return None
    mask, other = map(np.load, paths)
    union = int((mask | other).sum())
    return round(int((mask & other).sum()) / union, 4) if union else None


def conditions(machine: Mapping[str, Any], packages: Mapping[str, str | None], text: str) -> str:
    """Return the paragraph that says what was measured on, with what, and more."""
    before, after = machine["load_average"]
    versions = {"onnxruntime": machine["versions"]["onnxruntime"], **packages}
    used = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    return paragraph(
        f"""{machine["model"]}, {machine["cores"]} cores, load average {before} before and {after}
        after; {used}. {text}"""
    )
