"""Bundles of networks with other image encoders, as they are exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import sam2lite
from sam2lite.exporter.bundle.writer import export_float
from sam2lite.exporter.verify.parity import GRAPH_TOLERANCE
from sam2lite.models.backbones.config import BACKBONES, CasVitConfig, TrunkConfig, config_of
from sam2lite.models.backbones.family import HOST
from sam2lite.models.backbones.network import build
from sam2lite.runtimes.bundle import Bundle
from sam2lite.targets.registry import get_target

SIDE = 128
SMALL: TrunkConfig = CasVitConfig((16, 24, 32, 48), (1, 1, 1, 1))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As nanosam2 writes it."""
    path = tmp_path_factory.mktemp("nanosam2") / "checkpoint.pth"
    torch.save({"model": build(config_of(SMALL), seed=2).state_dict(), "epoch": 1}, path)
    return path


def test_a_checkpoint_is_exported_and_tracks(checkpoint: Path, tmp_path: Path) -> None:
    recipe = sam2lite.Recipe(model=str(checkpoint), sizes=[SIDE], output=tmp_path / "bundle")
    bundle = sam2lite.export(recipe)
    assert bundle.manifest.model.family == "backbones"
    assert bundle.manifest.model.name == "sam2.1_casvit_16x4"
    assert bundle.manifest.verification["loop"]["min_iou"] == 1.0
    check_tracks(bundle)


def check_tracks(bundle: Bundle) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 90, 160, 3), np.uint8)
    with sam2lite.VideoSegmenter(bundle.path) as segmenter:
        segmenter.prompt(frames[0], 1, points=[(80, 45)])
        for frame in frames:
            found = segmenter.track(frame)
    assert found.frame_index == 2
    assert np.isfinite(found.objects[1].object_score)


@pytest.mark.parametrize("name", BACKBONES)
def test_known_image_encoders_in_onnx_runtime(name: str) -> None:
    config = config_of(BACKBONES[name][0])
    loaded = HOST.untrained(build(config, 1), config)
    spec = HOST.family.graph("image_encoder").bind(loaded.dims(SIDE))
    with torch.no_grad():
        exported = export_float(loaded, loaded.fused(), spec, SIDE, get_target("x86-64").opset)
    for error in exported.parity.values():
        assert error.relative <= GRAPH_TOLERANCE
