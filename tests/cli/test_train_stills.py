"""`sam2lite train --data STILLS`: what is skipped is told, and a damaged folder is refused."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sam2lite.cli.main import app
from sam2lite.errors import VideoError
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from sam2lite.training import validation
from sam2lite.training.batches import BatchShape
from sam2lite.training.run import fine_tuning
from sam2lite.training.run.schedule import Phase
from tests.conftest import MINI
from tests.doubles.stills_folder import make_stills


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_stills(tmp_path / "real")


def run(*arguments: object) -> Result:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, ["train", *words], catch_exceptions=False)


def test_a_run_on_stills(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = (Phase("mixed", 1, 1.0, (BatchShape(64, 2, 2, 2),)),)
    schedules = {fine_tuning.CURRICULUM: (), "fine-tuning": short}
    monkeypatch.setattr("sam2lite.training.run.options.SCHEDULES", schedules)
    monkeypatch.setattr(validation, "SHAPE", BatchShape(96, 5, 1, 1))
    monkeypatch.setattr(validation, "CLIPS", 1)
    save_checkpoint(build(MINI, 3), tmp_path / "start")
    small = ["--schedule", "fine-tuning", "--stages", 1, "--steps", 2, "--processes", 1]
    out = tmp_path / "run"
    result = run("--from", tmp_path / "start", "--data", root, *small, "-o", out)
    assert result.exit_code == 0, result.output
    assert "objects of under 64 px are left out" in result.output
    assert load_model(out / "checkpoint").trained


def test_a_damaged_folder_is_refused(root: Path, tmp_path: Path) -> None:
    for number in (1, 4):
        (root / f"stills/things/{number:03d}.jpg").write_bytes(b"no picture")
    with pytest.raises(VideoError, match="2 of 56 stills cannot be used"):
        run("--data", root, "-o", tmp_path / "run")
