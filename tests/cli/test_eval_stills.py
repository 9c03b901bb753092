"""`sam2lite eval --stills`: first frames of photographs, by source, and the clips beside them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sam2lite.cli.app import make_command
from sam2lite.cli.network.eval import eval as command
from sam2lite.errors import ArgumentError, UnknownNameError, VideoError
from tests.doubles.stills_folder import make_stills

app = make_command(command)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stills(tmp_path_factory.mktemp("real"))


def run(*args: object) -> Any:
    whole = ["--model", "tiny", "--rung", 240, "--workers", 1, *args]
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, [str(arg) for arg in whole])


def test_stills_by_source(root: Path) -> None:
    result = run("--stills", root, "--prompt", "box", "--json")
    assert result.exception is None, result.exception
    report = json.loads(result.stdout)
    assert report["source"] == f"{root}, val"
    assert report["frames"] == report["clips"]
    assert {"filled_box", "grabcut_dis", "flood_dis"} < report["baselines"].keys()
    assert {"few", "secret"} <= report["by_source"].keys()
    assert sum(row["objects"] for row in report["by_source"].values()) == report["objects"]


def test_clips_and_the_table(root: Path) -> None:
    result = run("--stills", root, "--split", "val-clips", "--prompt", "mask")
    assert result.exception is None, result.exception
    assert "first frame J by source" in result.stdout
    assert "1 clips" in result.stdout


def test_what_is_refused(root: Path, tmp_path: Path) -> None:
    result = run("--split", "val")
    assert isinstance(result.exception, ArgumentError)
    assert "--stills" in str(result.exception)
    assert isinstance(run("--stills", root, "--split", "test").exception, UnknownNameError)
    assert isinstance(run("--stills", root, "--clips", 2).exception, ArgumentError)
    assert isinstance(run("--stills", tmp_path).exception, VideoError)
