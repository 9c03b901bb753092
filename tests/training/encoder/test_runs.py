"""Training an image encoder: what it learns, that it resumes exactly, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from sam2lite.cli.main import app
from sam2lite.errors import ArgumentError, TrainingError, UnknownNameError
from sam2lite.models.registry import load_model
from sam2lite.models.sam2.config import Sam2Config
from sam2lite.models.sam2.network import build
from sam2lite.training.encoder.levels import WEIGHTS, feature_loss, level_weights
from sam2lite.training.encoder.pictures import open_pictures, views
from sam2lite.training.encoder.run import Report, distill_encoder
from tests.training.encoder.conftest import TRUNK, check_stopped_run, options


def test_the_loss_falls_and_the_run_is_a_checkpoint(
    teacher: Path, images: Path, tmp_path: Path
) -> None:
    reports: list[Report] = []
    given = options(teacher, images, steps=30)
    best = distill_encoder(tmp_path / "run", given, report=reports.append)
    losses = [report.loss for report in reports]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])
    validations = [report.validation for report in reports if report.validation is not None]
    assert len(validations) == 10
    assert best == min(validations) < validations[0]
    found, whose = load_model(tmp_path / "run"), load_model(teacher)
    assert found.family.name == "backbones"
    assert found.sizes == (128,)
    heads = [name for name in whose.model.state_dict() if not name.startswith("image_encoder.")]
    for name in heads:
        assert torch.equal(found.model.state_dict()[name], whose.model.state_dict()[name]), name
    # The teacher's maps of all views: of four pictures and their crops, and of the one kept apart.
    pictures = open_pictures(images)
    assert len(pictures.trained) == 5
    assert len(list((tmp_path / "run" / "features").iterdir())) == 5 * 2 + 1


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    kept: bool, teacher: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = options(teacher, images, cache_gb=20.0 if kept else 0.0)
    check_stopped_run(given, 4, tmp_path, monkeypatch)


def test_what_a_resumed_run_may_not_change(teacher: Path, images: Path, tmp_path: Path) -> None:
    run, given = tmp_path / "run", options(teacher, images, steps=1)
    distill_encoder(run, given)
    with pytest.raises(ArgumentError, match="started with --backbone small, not other"):
        distill_encoder(run, {"backbone": "other"}, resume=True)
    with pytest.raises(TrainingError, match="holds a run; go on with --resume"):
        distill_encoder(run, given)
    distill_encoder(run, given, force=True)
    state = build(Sam2Config("", TRUNK), seed=4).state_dict()
    other = tmp_path / "teacher.pt"
    torch.save(state, other)
    distill_encoder(tmp_path / "again", options(other, images, steps=1))
    torch.save(build(Sam2Config("", TRUNK), seed=5).state_dict(), other)
    with pytest.raises(TrainingError, match=r"the teacher of the run .* changed since"):
        distill_encoder(tmp_path / "again", {}, resume=True)
    with pytest.raises(TrainingError, match="no run to resume"):
        distill_encoder(tmp_path / "nowhere", {}, resume=True)


def test_folders_without_pictures(teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"there is no folder .*nowhere"):
        distill_encoder(tmp_path / "run", options(teacher, tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match=r"has 0 pictures .*--images"):
        distill_encoder(tmp_path / "run", options(teacher, tmp_path / "empty"))
    assert not (tmp_path / "run").exists()


def test_pictures_that_cannot_be_read(teacher: Path, images: Path, tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"{index}.jpg").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"none of 2 pictures .* can be read"):
        distill_encoder(tmp_path / "run", options(teacher, tmp_path))
    pictures = open_pictures(tmp_path)
    good = next(images.rglob("*.jpg")).read_bytes()
    (tmp_path / pictures.trained[1]).write_bytes(good)
    both = views(pictures, pictures.trained, [0, 0], 64, 0)
    assert torch.equal(both[0], both[1])  # the next one stands in


def test_teachers_with_other_heads(images: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="made for other maps; choose a checkpoint of SAM 2"):
        distill_encoder(tmp_path / "run", options(Path("tiny"), images))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"backbone": "resnet50"}, "resnet50.*known: .*resnet18"),
        ({"loss": "cosine"}, "cosine.*known: huber, l1, mse"),
        ({"weights": "1,2"}, "the weights are '1,2'; give coarse-first, nanosam2, or"),
        ({"weights": "0,0,0"}, "the weights are"),
        ({"size": 100}, "does not take 100 px"),
        ({"minutes": 0.0}, "--minutes is 0"),
        ({"batch": 0}, "--batch"),
        ({"device": "tpu"}, "choose cpu or cuda"),
    ],
)
def test_options_that_cannot_be_used(
    more: dict[str, Any], words: str, teacher: Path, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=words):
        distill_encoder(tmp_path / "run", options(teacher, images, **more))
    assert not (tmp_path / "run").exists()


def test_losses_of_levels() -> None:
    ours = [torch.zeros(1, 2, side, side) for side in (4, 2, 1)]
    theirs = [
        torch.full_like(each, value) for each, value in zip(ours, (1.0, 2.0, 3.0), strict=True)
    ]
    total, levels = feature_loss(ours, theirs, "mse", WEIGHTS["nanosam2"])
    assert levels.tolist() == [1.0, 4.0, 9.0]
    assert float(total) == 1.0 + 1.0 + 9.0 / 8
    assert float(feature_loss(ours, theirs, "l1", (0.0, 0.0, 1.0))[0]) == 3.0
    assert float(feature_loss(ours, theirs, "huber", (0.0, 1.0, 0.0))[0]) == 1.5
    assert level_weights("0.5,0,2") == (0.5, 0.0, 2.0)
    assert level_weights("coarse-first")[2] == max(level_weights("coarse-first"))


def test_the_command(teacher: Path, images: Path, tmp_path: Path) -> None:
    arguments = ["--teacher", teacher, "--backbone", "small", "--images", images, "--steps", 1]
    arguments += ["--batch", 2, "--loss", "l1", "--weights", "nanosam2", "--bf16"]
    output = ["-o", tmp_path / "run"]
    done = CliRunner().invoke(app, [str(each) for each in ["distill-encoder", *arguments, *output]])
    assert done.exit_code == 0, done.output
    assert "on pictures kept apart" in done.output
    assert json.loads((tmp_path / "run" / "config.json").read_text())["sizes"] == [128]
    with pytest.raises(ArgumentError, match="no --teacher is given"):
        distill_encoder(tmp_path / "new", {"backbone": "small"})
    with pytest.raises(UnknownNameError):
        distill_encoder(tmp_path / "new", options(teacher, images, backbone="tiny"))
