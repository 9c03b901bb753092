"""A small teacher, pictures, and image encoders that train in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sam2lite.models.backbones import config as backbones
from sam2lite.models.backbones.config import CasVitConfig, ResNetConfig, TrunkConfig
from sam2lite.models.sam2.config import HieraConfig, Sam2Config
from sam2lite.models.sam2.network import build
from sam2lite.training.encoder import run as encoder_run
from sam2lite.training.encoder.run import Report, distill_encoder

SIDE = 128  # px
TRUNK = HieraConfig(16, 1, (1, 1, 3, 1), (8, 4, 14, 7), (2, 3, 4))
_SMALL: dict[str, TrunkConfig] = {
    "small": ResNetConfig((16, 16, 16, 16), (1, 1, 1, 1)),
    "other": ResNetConfig((8, 8, 8, 8), (1, 1, 1, 1)),
    "small_casvit": CasVitConfig((16, 16, 16, 16), (1, 1, 1, 1)),
}


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    torch.save({"model": build(Sam2Config("", TRUNK), seed=3).state_dict()}, path)
    return path


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As SA-1B: masks beside pictures, in numbered folders."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for index in range(6):
        inside = folder / f"sa_{index // 3:06}"
        inside.mkdir(exist_ok=True)
        coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
        picture = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(inside / f"sa_{index}.jpg"), picture)
        (inside / f"sa_{index}.json").write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Image encoders that have a name for the time of a test."""
    for name, trunk in _SMALL.items():
        monkeypatch.setitem(backbones.BACKBONES, name, (trunk, SIDE))


def options(teacher: Path, images: Path, **more: Any) -> dict[str, Any]:
    given = {"teacher": str(teacher), "images": str(images), "backbone": "small"}
    return {**given, "steps": 10, "batch": 2, "crops": 1, "learning_rate": 5e-3, **more}


def check_stopped_run(
    given: dict[str, Any], last_step: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train in one piece and in two; both runs, `whole` and `parts`, end with the same bits."""
    whole = distill_encoder(folder / "whole", given)
    runs: list[encoder_run._Run] = []
    start = encoder_run._Run.train

    def watched(run: encoder_run._Run, *arguments: Any) -> float:
        runs.append(run)
        return start(run, *arguments)

    def stop(report: Report) -> None:
        runs[0]._stop = report.step == last_step

    monkeypatch.setattr(encoder_run._Run, "train", watched)
    distill_encoder(folder / "parts", given, report=stop)
    assert distill_encoder(folder / "parts", {}, resume=True) == whole
    for name in ("model.safetensors", "state.safetensors"):
        ours, theirs = load_file(folder / "parts" / name), load_file(folder / "whole" / name)
        assert ours.keys() == theirs.keys()
        for key, tensor in theirs.items():
            assert torch.equal(ours[key], tensor), key
