"""Studies of a few steps of a small network; no score is expected of them."""

import csv
import dataclasses
import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sam2lite.bench.ablations import ablation
from sam2lite.bench.ablations.ablation import FULL, RESULTS_FILE, VARIANTS, ablate
from sam2lite.bench.ablations.table import HEADINGS, cells, markdown
from sam2lite.data.clips import ClipConfig
from sam2lite.errors import OutputError, TrainingError, UnknownNameError
from sam2lite.evaluation.sources import GeneratedClip
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import build
from sam2lite.training import validation
from sam2lite.training.batches import BatchShape
from sam2lite.training.losses import PRESETS, loss_weights
from sam2lite.training.run import schedule, trainer
from sam2lite.training.run.options import RunOptions
from sam2lite.training.run.schedule import Phase
from sam2lite.training.run.trainer import Report
from tests.conftest import MINI

FEW = ["output-only", "fifo", "budget-512"]
RUNS = [FULL, *FEW]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One core, small batches, small validation, small clips."""
    phases = (Phase("clips", 1, 1.0, (BatchShape(96, 3, 1, 2),)),)
    monkeypatch.setattr(schedule.schedule_of, "__defaults__", (phases,))
    monkeypatch.setattr(trainer, "LOG_EVERY_STEPS", 1)
    monkeypatch.setattr(validation, "SHAPE", BatchShape(96, 5, 1, 1))
    monkeypatch.setattr(validation, "CLIPS", 1)
    clips = [GeneratedClip(seed, ClipConfig(height=96, width=96, frames=4)) for seed in range(2)]
    monkeypatch.setattr(ablation, "fresh_clips", lambda count, seed: clips[:count])
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    for name, seed in (("start", 3), ("teacher", 4)):
        save_checkpoint(build(MINI, seed), tmp_path / name)
    return RunOptions(
        start=str(tmp_path / "start"), teacher=str(tmp_path / "teacher"), stages=(1,), steps=2
    )


def quiet(report: Report) -> None:
    """Say nothing."""


def read(folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((folder / RESULTS_FILE).read_text())
    return results


def test_a_study_trains_scores_and_goes_on(options: RunOptions, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    begun: list[str] = []
    results = ablate(
        options, folder, variants=FEW, runs=1, clips=2, begin=begun.append, report=quiet
    )
    assert results == read(folder)
    assert [(run["variant"], run["seed"]) for run in results["runs"]] == [(n, 0) for n in RUNS]
    assert [run["steps"] for run in results["runs"]] == [2, 2, None, None]
    assert all(0.0 <= run[score] <= 100.0 for run in results["runs"] for score in ablation.SCORES)
    assert begun[1] == "2 of 4: output-only, seed 0; trainings left: 1"

    trained = {path.name: path for path in folder.iterdir() if path.is_dir()}
    assert sorted(trained) == ["full-0", "output-only-0"]
    for path in trained.values():
        assert HOST.load(path / "checkpoint").trained
        assert not list(path.glob("*.safetensors")), "what only resuming needs is deleted"
    with (trained["output-only-0"] / "log.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert last["loss"] == last["teacher_mask"]

    again = ablate(options, folder, variants=["random"], runs=1, clips=2, resume=True, report=quiet)
    assert [run["variant"] for run in again["runs"]] == [*RUNS, "random"]
    assert again["runs"][:4] == results["runs"]

    with pytest.raises(TrainingError, match="holds a study; go on with --resume"):
        ablate(options, folder, report=quiet)
    longer = dataclasses.replace(options, steps=3)
    with pytest.raises(TrainingError, match=r"another study \(steps was 2, is 3\)"):
        ablate(longer, folder, clips=2, resume=True, report=quiet)
    (folder / RESULTS_FILE).write_text("[]")
    with pytest.raises(TrainingError, match="damaged or of no study"):
        ablate(options, folder, clips=2, resume=True, report=quiet)


def stop_in_time(report: Report) -> None:
    signal.raise_signal(signal.SIGTERM)


def test_a_training_that_was_stopped_is_done_again(options: RunOptions, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    longer = dataclasses.replace(options, steps=3)
    few = partial(ablate, longer, folder, variants=[], runs=1, clips=1)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainingError, match=r"stopped at 67 % of .*full-0.*--resume"):
        few(report=stop_in_time)
    assert signal.getsignal(signal.SIGTERM) == before
    assert read(folder)["runs"] == []
    results = few(resume=True, report=quiet)
    assert [(run["variant"], run["steps"]) for run in results["runs"]] == [(FULL, 3)]
    assert results["runs"][0]["jf_stderr"] is None  # one clip has none
    assert "standard error" not in markdown(results)


def test_what_cannot_be_run_is_refused(options: RunOptions, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="variant 'half'; known: full, no-attention"):
        ablate(options, tmp_path / "study", variants=["half"], report=quiet)
    with pytest.raises(TrainingError, match="no study to resume"):
        ablate(options, tmp_path / "study", resume=True, report=quiet)
    assert not (tmp_path / "study").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot make the folder .*file: File exists"):
        ablate(options, tmp_path / "file", report=quiet)


def test_every_variant_leaves_out_what_it_says() -> None:
    preset = PRESETS["sam2lite"]
    left_out = {
        name: {
            term
            for term, weight in dataclasses.asdict(preset).items()
            if weight and not getattr(loss_weights(variant.losses), term)
        }
        for name, variant in VARIANTS.items()
    }
    truth = {"bce", "dice", "edge", "iou_score", "object_score"}
    assert {name: terms for name, terms in left_out.items() if terms} == {
        "no-attention": {"attention"},
        "no-readout": {"readout"},
        "no-matching": {"attention", "readout"},
        "output-only": {*truth, "attention", "readout"},
        "no-edge": {"edge"},
    }
    assert [name for name, variant in VARIANTS.items() if not variant.taught] == ["no-teacher"]


def run(variant: str, seed: int, jf: float, steps: int | None = 100) -> dict[str, Any]:
    return {"variant": variant, "seed": seed, "steps": steps, "jf": jf, "jf_stderr": 2.0,
            "first_frame_j": jf + 10.0, "j_last4": jf - 10.0}  # fmt: skip


def test_the_table_by_hand() -> None:
    runs = [run(FULL, 0, 60.0), run("fifo", 0, 58.5, None), run(FULL, 1, 61.0, 120),
            run("fifo", 1, 60.5, None), run("no-edge", 0, 59.0)]  # fmt: skip
    settings = {"clips": 24, "prompt": "click", "rung": 240, "minutes": 3.0, "steps": None,
                "start": None}  # fmt: skip
    results = {"runs": runs, "settings": settings}
    assert cells(results) == [
        ["full", "110", "60.5 ± 0.5", "70.5 ± 0.5", "50.5 ± 0.5", ""],
        ["no edge loss", "100", "59.0", "69.0", "49.0", "-1.0"],
        ["full, FIFO", "", "59.5 ± 1.0", "69.5 ± 1.0", "49.5 ± 1.0", "-1.0 ± 0.5"],
    ]
    text = markdown(results)
    assert text.startswith(f"| {' | '.join(HEADINGS)} |\n| - |")
    assert "24 held-out generated clips" in text
    assert "3 minutes of stage 1, from random weights" in text
    assert "2 runs of each variant" in text
