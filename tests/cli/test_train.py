"""`sam2lite train` and `sam2lite distill`: what they refuse, and a run that is stopped."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from sam2lite.cli.main import app
from sam2lite.data.clips import ClipConfig, generate_clip, write_davis
from sam2lite.errors import (
    ArgumentError,
    ModelError,
    Sam2LiteError,
    TrainingError,
    UnknownNameError,
    VideoError,
)
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import build
from sam2lite.training.run.options import RunOptions
from sam2lite.training.run.state import STATE_FILE, read_progress
from tests.conftest import MINI
from tests.interrupts import interruptible

COMMAND = str(Path(sys.executable).parent / "sam2lite")


@pytest.fixture
def start(tmp_path: Path) -> str:
    save_checkpoint(build(MINI, 3), tmp_path / "start")
    return str(tmp_path / "start")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--stages", "4"], ArgumentError, r"stages are \[4\]; choose from 1, 2, 3"),
        (["--stages", "one"], ArgumentError, "--stages is 'one'; give numbers as in 1,2,3"),
        (["--stages", ""], ArgumentError, "--stages is ''"),
        (["--minutes", "0"], ArgumentError, "--minutes is 0.0; it must be above 0"),
        (["--minutes", "nan"], ArgumentError, "--minutes is nan"),
        (["--steps", "0"], ArgumentError, "--steps is 0; it must be above 0"),
        (["--learning-rate", "-1"], ArgumentError, "--learning-rate is -1.0; it must be above 0"),
        (["--losses", "best"], UnknownNameError, "loss preset 'best'; known: paper, methodology"),
        (["--losses", "paper-edges"], UnknownNameError, "loss term 'edges'; known: bce, focal"),
        (["--model", "huge"], UnknownNameError, "model 'huge'; known: tiny, small, base"),
        (["--seed", "-1"], ArgumentError, "--seed is -1; choose 0 or more"),
        (["--device", "tpu"], ArgumentError, "the device is 'tpu'; choose cpu or cuda"),
        (["--data", "nowhere"], VideoError, "nowhere"),
        (["--resume"], TrainingError, f"no run to resume in .*{STATE_FILE} is missing"),
        (["--resume", "--force"], ArgumentError, "--force would do nothing beside --resume"),
        (["--steps", "9", "--minutes", "1"], ArgumentError, "--minutes would do nothing beside"),
    ],
)
@pytest.mark.parametrize(
    "command", [["train"], ["distill", "--teacher", "tiny"]], ids=lambda c: c[0]
)
def test_what_cannot_be_run_is_refused_before_it_starts(
    command: list[str],
    arguments: list[str],
    error: type[Sam2LiteError],
    message: str,
    tmp_path: Path,
) -> None:
    output = tmp_path / "run"
    with pytest.raises(error, match=message):
        run(*command, "-o", str(output), *arguments)
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--minutes", "90"], "--minutes is 90.0, but the run in .* goes on with 30.0, as it was"),
        (["--stages", "1"], "--stages is 1, but .* goes on with 1,2, as it was"),
        (["--seed", "0"], "--seed is 0, but .* goes on with 3"),
        (["--from", "tiny"], "--from is tiny, but .* goes on with not given"),
    ],
)
def test_a_run_that_goes_on_keeps_its_options_and_says_so(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = RunOptions(minutes=30.0, stages=(1, 2), seed=3)
    monkeypatch.setattr("sam2lite.training.run.folder.open_run", lambda *args, **more: kept)
    monkeypatch.setattr("sam2lite.training.run.launch.launch", lambda *args, **more: None)
    resumed = ["train", "-o", str(tmp_path / "run"), "--processes", "1", "--resume"]
    with pytest.raises(ArgumentError, match=message):
        run(*resumed, *arguments)
    assert run(*resumed, "--minutes", "30", "--seed", "3").exit_code == 0


def test_what_low_rank_updates_need_is_said(start: str, tmp_path: Path) -> None:
    for arguments, message in (
        (["--alpha", "2"], "--alpha does nothing without --lora"),
        (["--targets", "all"], "--targets does nothing without --lora"),
        (["--lora", "4"], "--lora updates trained weights; name them with --from"),
        (["--accumulate", "0"], "--accumulate is 0; choose 1 or more"),
    ):
        with pytest.raises(ArgumentError, match=message):
            run("train", "-o", str(tmp_path / "run"), *arguments)
    base = ["train", "--from", start, "-o", str(tmp_path / "run"), "--stages", "1"]
    with pytest.raises(ArgumentError, match=r"--targets no\.such matches no layer"):
        run(*base, "--lora", "2", "--targets", "no.such")


def test_a_cache_that_is_not_there_is_not_filled(tmp_path: Path) -> None:
    command = ["distill", "--teacher", "tiny", "-o", str(tmp_path / "run")]
    with pytest.raises(ArgumentError, match="--cached-batches does nothing without --cache"):
        run(*command, "--cached-batches", "8")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="PyTorch finds no GPU here; use --device cpu"):
        run("train", "--device", "cuda", "-o", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_folders_that_are_not_what_they_should_be(start: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    with pytest.raises(VideoError, match=r"the folder is empty; expected one of\ndavis:"):
        run("train", "--data", str(plain), "-o", str(tmp_path / "run"))
    with pytest.raises(ModelError, match=r"config.json.*a checkpoint is a folder with"):
        run("distill", "--teacher", str(plain), "-o", str(tmp_path / "run"))
    with pytest.raises(ModelError, match=r"config.json.*a checkpoint is a folder with"):
        run("train", "--from", str(plain), "--processes", "1", "-o", str(tmp_path / "run"))
    with pytest.raises(ArgumentError, match="--processes is 0; choose 1 or more"):
        run("train", "--from", start, "--processes", "0", "-o", str(tmp_path / "run"))
    with pytest.raises(ArgumentError, match="no teacher is given; name a checkpoint"):
        run("distill", "-o", str(tmp_path / "run"))


@pytest.fixture
def one_core() -> Iterator[dict[str, str]]:
    """Keep this process and those it starts on one core; gives their environment.

    Two threads of a small network would mostly wait for each other on a busy machine.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    yield {**os.environ, "OMP_NUM_THREADS": "1"}
    os.sched_setaffinity(0, cores)


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Two clips in the layout of DAVIS, long enough for the longest phase."""
    for seed in range(2):
        clip = generate_clip(seed, ClipConfig(height=96, width=96, frames=8))
        write_davis(clip, tmp_path / "data", f"clip{seed}")
    return str(tmp_path / "data")


def test_a_run_that_is_stopped_goes_on_to_its_end(
    start: str, data: str, one_core: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    arguments = [COMMAND, "train", "--from", start, "--data", data, "--stages", "1", "--steps",
                 "40", "--processes", "1", "-o", str(folder)]  # fmt: skip
    with interruptible(arguments, env=one_core, stderr=subprocess.PIPE) as first:
        assert first.stderr is not None
        line = first.stderr.readline()
        first.send_signal(signal.SIGTERM)
        _, rest = first.communicate(timeout=120)
    assert line.startswith("step     20"), line + rest
    assert first.returncode == 0, rest
    stopped = read_progress(folder).step
    assert 20 <= stopped < 40

    with pytest.raises(TrainingError, match="holds a run; go on with --resume, start anew with"):
        run("train", "--from", start, "--processes", "1", "-o", str(folder))
    again = subprocess.run(
        [COMMAND, "train", "-o", str(folder), "--processes", "1", "--resume"],
        env=one_core, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert f"{folder}/checkpoint" in again.stdout
    assert read_progress(folder).step == 40
    assert HOST.load(folder / "checkpoint").trained
    with (folder / "scores.csv").open(newline="") as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [stopped, 40]
