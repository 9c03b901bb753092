"""`sam2lite ablate`: its output, and what it refuses; the study has tests of its own."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sam2lite.bench.ablations import ablation
from sam2lite.cli.main import app
from sam2lite.data.clips import ClipConfig
from sam2lite.errors import ArgumentError, Sam2LiteError, TrainingError, UnknownNameError
from sam2lite.evaluation.sources import GeneratedClip
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from sam2lite.training import validation
from sam2lite.training.batches import BatchShape
from sam2lite.training.run import schedule
from sam2lite.training.run.schedule import Phase
from tests.conftest import MINI


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    save_checkpoint(build(MINI, 4), tmp_path / "teacher")
    return str(tmp_path / "teacher")


def ablate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ablate", *arguments], catch_exceptions=False)


def test_a_study_is_printed_as_json_and_as_a_table(
    teacher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = (Phase("clips", 1, 1.0, (BatchShape(96, 2, 1, 1),)),)
    monkeypatch.setattr(schedule.schedule_of, "__defaults__", (phases,))
    monkeypatch.setattr(validation, "SHAPE", BatchShape(96, 5, 1, 1))
    monkeypatch.setattr(validation, "CLIPS", 1)
    clip = GeneratedClip(0, ClipConfig(height=96, width=96, frames=4))
    monkeypatch.setattr(ablation, "fresh_clips", lambda count, seed: [clip])
    output = tmp_path / "study"
    study = ["--teacher", teacher, "--from", teacher, "--steps", "1", "--runs", "1", "--clips", "1",
             "--variants", "fifo", "--processes", "1", "-o", str(output)]  # fmt: skip

    first = ablate(*study, "--json")
    results = json.loads(first.stdout)
    assert results == json.loads((output / "results.json").read_text())
    assert [run["variant"] for run in results["runs"]] == ["full", "fifo"]
    assert "the teacher" in first.stderr
    assert "is untrained: it teaches noise" in first.stderr
    assert "1 of 2: full, seed 0; trainings left: 1" in first.stderr

    table = ablate(*study, "--resume").stdout
    fifo = next(line for line in table.splitlines() if "full, FIFO" in line)
    assert f"{results['runs'][1]['jf']:.1f}" in fifo
    assert "1 held-out generated clips, one click" in " ".join(table.split())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--variants", "full,half"], UnknownNameError, "variant 'half'; known: full"),
        (["--minutes", "0"], ArgumentError, "--minutes is 0.0; it must be above 0"),
        (["--steps", "0"], ArgumentError, "--steps is 0; it must be above 0"),
        (["--processes", "0"], ArgumentError, "--processes is 0; choose 1 or more"),
        (["--device", "tpu"], ArgumentError, "'tpu'; choose cpu or cuda"),
        (["--teacher", "nobody"], UnknownNameError, "model 'nobody'; known: tiny"),
        (["--resume"], TrainingError, "no study to resume in .*results.json is missing"),
    ],
)
def test_what_cannot_be_run_is_refused_before_it_starts(
    teacher: str, tmp_path: Path, arguments: list[str], error: type[Sam2LiteError], message: str
) -> None:
    output = tmp_path / "study"
    with pytest.raises(error, match=message):
        ablate("--teacher", teacher, "--from", teacher, "-o", str(output), *arguments)
    assert not output.exists()


def test_a_teacher_is_needed() -> None:
    result = ablate("--minutes", "1")
    assert result.exit_code == 2
    assert "--teacher" in result.stderr
