import csv
import signal
from pathlib import Path

import pytest
import safetensors.torch
import torch

from sam2lite.errors import TrainingError
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.training import validation
from sam2lite.training.batches import BatchShape
from sam2lite.training.run import schedule, trainer
from sam2lite.training.run.folder import open_run
from sam2lite.training.run.launch import launch
from sam2lite.training.run.options import RunOptions
from sam2lite.training.run.schedule import Phase
from sam2lite.training.run.state import STATE_FILE, read_progress
from sam2lite.training.run.trainer import Report, train

SHORT = (
    Phase("images", 1, 0.5, (BatchShape(96, 1, 2, 2),)),
    Phase("clips", 1, 0.25, (BatchShape(96, 1, 2, 2), BatchShape(96, 3, 1, 2))),
    Phase("pruning", 2, 0.25, (BatchShape(96, 4, 1, 2),), budget=40),
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches, small validation, a report after every step."""
    monkeypatch.setattr(schedule.schedule_of, "__defaults__", (SHORT,))
    monkeypatch.setattr(trainer, "LOG_EVERY_STEPS", 1)
    monkeypatch.setattr(validation, "SHAPE", BatchShape(96, 5, 1, 2))
    monkeypatch.setattr(validation, "CLIPS", 1)


@pytest.fixture
def start(mini: Sam2Lite, tmp_path: Path) -> str:
    save_checkpoint(mini, tmp_path / "start")
    return str(tmp_path / "start")


def options(start: str, **values: object) -> RunOptions:
    return RunOptions(start=start, stages=(1, 2), steps=6, **values)  # type: ignore[arg-type]


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / STATE_FILE)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_that_was_stopped_ends_like_one_that_was_not(start: str, tmp_path: Path) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    reports: list[Report] = []
    run = open_run(whole, options(start), resume=False, force=False)
    train(run, whole, resume=False, report=reports.append)

    def stop(report: Report) -> None:
        if report.step == 3:
            signal.raise_signal(signal.SIGTERM)

    train(open_run(parted, options(start), resume=False, force=False), parted, resume=False,
          report=stop)  # fmt: skip
    assert read_progress(parted).step == 4  # the step that was on its way is finished
    again = open_run(parted, RunOptions(), resume=True, force=False)
    assert again == run
    train(again, parted, resume=True)

    assert read_progress(parted).step == read_progress(whole).step == 6
    first, second = tensors(whole), tensors(parted)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
    assert [row["phase"] for row in rows(whole / "log.csv")] == [
        "images", "images", "images", "clips", "clips", "pruning"]  # fmt: skip
    assert [(row["step"], row["loss"]) for row in rows(whole / "log.csv")] == [
        (row["step"], row["loss"]) for row in rows(parted / "log.csv")
    ]
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]

    loaded = HOST.load(whole / "checkpoint")
    assert loaded.trained
    moved = [
        name
        for name, tensor in HOST.load(start).model.state_dict().items()
        if not torch.equal(tensor, loaded.model.state_dict()[name])
    ]
    assert len(moved) > 100


def test_several_processes_agree(start: str, tmp_path: Path) -> None:
    """Two processes with the same gradients of their own would drift apart within a step."""
    folder = tmp_path / "run"
    run = open_run(folder, options(start, bf16=False), resume=False, force=False)
    launch(run, folder, resume=False, processes=2, report=print)
    assert read_progress(folder).step == 6
    assert all(torch.isfinite(tensor).all() for tensor in tensors(folder).values())


def test_a_loss_that_is_not_finite_ends_the_run(mini: Sam2Lite, tmp_path: Path) -> None:
    with torch.no_grad():
        mini.mask_decoder.upsampler.last.bias.fill_(3e38)  # type: ignore[union-attr]
    save_checkpoint(mini, tmp_path / "start")
    run = open_run(tmp_path / "run", options(str(tmp_path / "start")), resume=False, force=False)
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) at step 0 \(images\).*--resume"):
        train(run, tmp_path / "run", resume=False)


def test_a_full_disk_leaves_the_state_before(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    train(open_run(folder, options(start), resume=False, force=False), folder, resume=False)
    before = (folder / STATE_FILE).read_bytes()

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    run = RunOptions.from_json({**options(start).to_json(), "steps": 7})
    with pytest.raises(TrainingError, match=r"No space left.*--resume"):
        train(run, folder, resume=True)
    assert (folder / STATE_FILE).read_bytes() == before
    assert list(folder.glob("*.partial*")) == []


def test_folders_are_not_overwritten(start: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(TrainingError, match="no run to resume"):
        open_run(folder, options(start), resume=True, force=False)
    folder.mkdir()
    (folder / STATE_FILE).write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="--resume, start anew with --force"):
        open_run(folder, options(start), resume=False, force=False)
    with pytest.raises(TrainingError, match="damaged"):
        open_run(folder, options(start), resume=True, force=False)
    open_run(folder, options(start), resume=False, force=True)
    assert not (folder / STATE_FILE).exists()
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="is a file"):
        open_run(tmp_path / "file", options(start), resume=False, force=False)


def test_a_state_of_another_network_is_refused(start: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(open_run(folder, options(start), resume=False, force=False), folder, resume=False)
    with pytest.raises(TrainingError, match="another network"):
        train(RunOptions(steps=7), folder, resume=True)
