"""`sam2lite eval --coco`: its table, its folder, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sam2lite.cli.app import make_command
from sam2lite.cli.network.eval import eval as command
from sam2lite.errors import ArgumentError, Sam2LiteError, UnknownNameError, VideoError
from tests.evaluation.coco.conftest import written  # noqa: F401 - a fixture

app = make_command(command)


@pytest.fixture(scope="module")
def coco(written: Any) -> Path:  # noqa: F811 - the fixture
    path: Path = written()
    return path


def run(*args: object) -> Any:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, [str(arg) for arg in args])


def test_a_table_and_files_that_are_read_back(model: str, coco: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    args = ["--model", model, "--coco", coco, "--prompt", "box", "--rung", 240, "--rung", 336]
    result = run(*args, "--workers", 1, "-o", out)
    assert result.exception is None, result.exception
    for heading in ("240 px", "336 px", "filled box", "small", "medium", "large"):
        assert heading in result.stdout
    assert "1 annotations of crowds" in result.stderr
    assert "1 objects without a pixel" in result.stderr
    report = json.loads((out / "results.json").read_text())
    assert (report["model"], report["prompt"], report["crowds"], report["empty"]) == (
        model,
        "box",
        1,
        1,
    )
    assert sorted(path.name for path in out.iterdir()) == [
        "coco_results_240.json",
        "coco_results_336.json",
        "results.json",
    ]

    file = out / "coco_results_240.json"
    again = run("--coco-results", file, "--coco-results", out / "coco_results_336.json")
    assert again.exception is None, again.exception
    assert "coco_results_336.json" in again.stdout
    read = json.loads(run("--coco-results", file, "--json").stdout)
    assert read["files"][str(file)]["by_size"] == report["rungs"]["240"]["by_size"]
    of_dogs = json.loads(run("--coco-results", file, "--category", 7, "--json").stdout)
    dogs = of_dogs["files"][str(file)]["by_size"]["all"]["objects"]
    assert 0 < dogs < report["by_size"]["all"]["objects"]
    unknown = run("--coco-results", file, "--category", "dog")
    assert isinstance(unknown.exception, UnknownNameError)
    assert run(*args, "--workers", 1, "-o", out, "--force").exception is None


def test_one_category_as_json(model: str, coco: Path) -> None:
    args = ["--model", model, "--coco", coco, "--category", "dog", "--rung", 240]
    result = run(*args, "--workers", 1, "--no-baselines", "--json")
    assert result.exception is None, result.exception
    report = json.loads(result.stdout)
    assert (report["category"], report["prompt"], report["baselines"]) == ("dog", "click", {})


@pytest.mark.parametrize(
    ("kind", "args", "named"),
    [
        (UnknownNameError, ["--coco", "COCO", "--prompt", "mask"], "known: box, click"),
        (UnknownNameError, ["--coco", "COCO", "--category", "cow"], "known: cat, dog"),
        (UnknownNameError, ["--coco", "COCO", "--category", "5"], "known: cat, dog"),
        (VideoError, ["--coco", "nowhere"], "instances_val2017.json"),
        (ArgumentError, ["--coco", "COCO", "--skip-last"], "--skip-last would do nothing"),
        (ArgumentError, ["--coco", "COCO", "--clips", "3"], "--clips would do nothing"),
        (ArgumentError, ["--category", "cat"], "give --coco as well"),
        (ArgumentError, ["--coco-results", "x.json"], "--model would do nothing beside"),
    ],
)
def test_wrong_arguments(
    model: str, coco: Path, kind: type[Sam2LiteError], args: list[str], named: str
) -> None:
    result = run("--model", model, *[coco if arg == "COCO" else arg for arg in args])
    assert isinstance(result.exception, kind), result.exception
    assert named in str(result.exception)
    assert result.stdout == ""
