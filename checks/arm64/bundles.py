"""What runs on both machines: a clip of pictures, and bundles of every family, FP32 and INT8."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from sam2lite.calibration.calibrate import CalibrationSettings, calibrate
from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.exporter.bundle.device_app import DEVICE_APP, write_device_app
from sam2lite.exporter.bundle.writer import write_trial_bundle
from sam2lite.exporter.export import export
from sam2lite.exporter.precision.int8 import all_layers, unmeasured
from sam2lite.exporter.precision.scheme import Float32, PrecisionScheme
from sam2lite.exporter.precision.schemes import Making
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.edgetam import family as edgetam
from sam2lite.models.efficienttam import family as efficienttam
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2 import family as sam2
from sam2lite.runtimes.video.opencv_files import write_picture
from sam2lite.targets.registry import get_target
from tests.oracles.edge_networks import EDGE_SIDE, small_edge_network
from tests.oracles.efficienttam_networks import LOGIT_POOLED, telling_efficienttam
from tests.oracles.scenarios import SIDE
from tests.oracles.telling_networks import small_network

N = TypeVar("N", bound=nn.Module)

TARGET = "arm64"
RUNG = 240  # px, of SAM2-Lite
_CLIP = ClipConfig(height=270, width=480, frames=20)
_SEED = 14
_CALIBRATION = CalibrationSettings(frames=24, observer="minmax")  # of random weights
_SURELY_THERE = 50.0  # a bias of the presence score


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


def make_bundles(folder: Path, say: Callable[[str], None], is_short: bool = False) -> list[Subject]:
    """Return the subjects; bundles that an earlier run has made are taken as they are.

    Their `device.pyz` is written anew: it is the device code of this checkout.

    Args:
        folder: that they are in.
        say: is told what takes long.
        is_short: leave out the INT8 of random weights, whose layers are those of trained ones.
    """
    subjects = []
    for name, (title, make) in _NETWORKS.items():
        exact = Subject(f"{title}, FP32", folder / f"{name}-fp32", make is None)
        eight = Subject(f"{title}, INT8", folder / f"{name}-int8", make is None, exact.name)
        for subject in (exact,) if is_short and make is not None else (exact, eight):
            precision = "fp32" if subject is exact else "int8"
            partial = subject.folder.with_name(subject.folder.name + ".partial")
            if not subject.folder.is_dir():
                say(f"exporting {subject.name}")
                shutil.rmtree(partial, ignore_errors=True)
                if make is None:
                    _export(precision, partial)
                else:
                    _write_random(*make(), precision, partial)
                partial.replace(subject.folder)
            write_device_app(subject.folder / DEVICE_APP)
            subjects.append(subject)
    return subjects


@torch.no_grad()
def _sees_always(network: N) -> N:
    """Return the network, for which objects are always there: empty masks compare nothing."""
    for name, parameter in network.named_parameters():
        if name.endswith("pred_obj_score_head.layers.2.bias"):
            parameter.fill_(_SURELY_THERE)
    return network


def _sam2() -> tuple[LoadedModel, int]:
    network = _sees_always(small_network())
    return sam2.HOST.untrained(network, network.config), SIDE


def _edgetam() -> tuple[LoadedModel, int]:
    network = _sees_always(small_edge_network())
    return edgetam.HOST.untrained(network, network.config), EDGE_SIDE


def _efficienttam() -> tuple[LoadedModel, int]:
    network = _sees_always(telling_efficienttam(LOGIT_POOLED))
    return efficienttam.HOST.untrained(network, LOGIT_POOLED), SIDE


# Their names in the table; what makes the network and says its side, px, for weights that are
# random, or None for those that are published.
_NETWORKS: dict[str, tuple[str, Callable[[], tuple[LoadedModel, int]] | None]] = {
    "tiny": ("SAM2-Lite Tiny", None),
    "sam2": ("SAM 2, small and random", _sam2),
    "edgetam": ("EdgeTAM, small and random", _edgetam),
    "efficienttam": ("EfficientTAM, small and random", _efficienttam),
}


def _export(precision: str, path: Path) -> None:
    export(Recipe(target=TARGET, sizes=[RUNG], precision=precision, output=str(path)))


def _write_random(loaded: LoadedModel, side: int, precision: str, path: Path) -> None:
    """Write a bundle that no footage says anything about: its masks mean nothing."""
    target = get_target(TARGET)
    scheme: PrecisionScheme = Float32()
    if precision == "int8":
        with tempfile.TemporaryDirectory() as cache:
            ranges = calibrate(loaded, [side], _CALIBRATION, Path(cache)).ranges
        making = Making(loaded, target, ranges=ranges)
        scheme = unmeasured(replace(making, assignment=all_layers(making)))
    write_trial_bundle(loaded, target, side, scheme, path)
