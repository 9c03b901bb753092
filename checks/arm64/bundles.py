"""What runs on both machines: a clip of pictures, and bundles of three families."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.exporter.bundle.device_app import DEVICE_APP, write_device_app
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.export import export
from sam2lite.exporter.precision.scheme import Float32
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.edgetam import family as edgetam
from sam2lite.models.sam2 import family as sam2
from sam2lite.runtimes.video.opencv_files import write_picture
from sam2lite.targets.registry import get_target
from tests.oracles.edge_networks import EDGE_SIDE, small_edge_network
from tests.oracles.scenarios import SIDE
from tests.oracles.telling_networks import small_network

TARGET = "arm64"
RUNG = 240  # px, of SAM2-Lite
_CLIP = ClipConfig(height=270, width=480, frames=20)
_SEED = 14


@dataclass(frozen=True)
class Subject:
    """A bundle to compare.

    Attributes:
        name: in the table.
        folder: of the bundle.
        is_trained: its logits are far from 0 but at edges. Those of random weights are not, so that
            the last bit of a float decides pixels here and there.
        of_fp32: name of the same network's bundle in FP32, if this one is in INT8.
    """

    name: str
    folder: Path
    is_trained: bool
    of_fp32: str | None = None


def write_clip(folder: Path) -> str:
    """Write the clip as PNG, which every decoder reads alike; return a click on its object."""
    made = generate_clip(_SEED, _CLIP)
    x, y = first_click(made, made.object_ids[0])
    if not folder.is_dir():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for index, frame_rgb in enumerate(made.frames_rgb_thwc):
            frame_bgr = np.ascontiguousarray(frame_rgb[..., ::-1])
            write_picture(str(partial / f"{index:05d}.png"), frame_bgr)
        partial.replace(folder)
    return f"{x},{y}"


def make_bundles(folder: Path, say: Callable[[str], None]) -> list[Subject]:
    """Return the subjects; bundles that an earlier run has made are taken as they are.

    Their `device.pyz` is written anew: it is the device code of this checkout.

    Args:
        folder: that they are in.
        say: is told what takes long.
    """
    subjects = [
        Subject("SAM2-Lite Tiny, FP32", folder / "tiny-fp32", True),
        Subject("SAM2-Lite Tiny, INT8", folder / "tiny-int8", True, "SAM2-Lite Tiny, FP32"),
        Subject("SAM 2, small and random", folder / "sam2", False),
        Subject("EdgeTAM, small and random", folder / "edgetam", False),
    ]
    makers: list[Callable[[Path], object]] = [
        lambda path: _export("fp32", path),
        lambda path: _export("int8", path),
        _write_sam2,
        _write_edgetam,
    ]
    for subject, make in zip(subjects, makers, strict=True):
        partial = subject.folder.with_name(subject.folder.name + ".partial")
        if not subject.folder.is_dir():
            say(f"exporting {subject.name}")
            shutil.rmtree(partial, ignore_errors=True)
            make(partial)
            partial.replace(subject.folder)
        write_device_app(subject.folder / DEVICE_APP)
    return subjects


def _export(precision: str, path: Path) -> None:
    export(Recipe(target=TARGET, sizes=[RUNG], precision=precision, output=str(path)))


def _write_sam2(path: Path) -> None:
    network = small_network()
    loaded = sam2.HOST.untrained(network, network.config)
    write_trial_bundle(loaded, get_target(TARGET), SIDE, Float32(), path)


def _write_edgetam(path: Path) -> None:
    network = small_edge_network()
    loaded = edgetam.HOST.untrained(network, network.config)
    write_trial_bundle(loaded, get_target(TARGET), EDGE_SIDE, Float32(), path)
