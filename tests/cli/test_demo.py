"""`sam2lite demo` itself: short, with a bundle that is there, and among the slow tests in full."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from sam2lite.cli import demo
from sam2lite.cli.app import make_app
from sam2lite.contracts.provenance import LINES, SMOKE_TEST
from sam2lite.data.clips import ClipConfig, generate_clip, write_video
from sam2lite.errors import ArgumentError, OutputError, PromptError
from sam2lite.exporter import export
from sam2lite.exporter.recipe import Recipe
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.video.source import open_source

FRAMES = 12


def check_results(folder: Path, printed: str, frames: int) -> None:
    """See that everything that the demo names is there, and holds what it should."""
    for name in demo.GENERATED | demo.RESULTS:
        assert (folder / name).exists(), name
        assert str(folder / name) in printed
    assert "smoke-test weights" in printed
    with open_source(str(folder / "clip.mp4")) as source:
        assert len(list(source)) == frames
    results = json.loads((folder / "track" / "results.json").read_text())
    assert len(results["frames"]) == frames
    assert json.loads((folder / "bench.json").read_text())["frames"] == demo.BENCH_FRAMES
    sheet = cv2.imread(str(folder / "contact_sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] == demo.SHEET_WIDTH_PX
    page = (folder / "report.html").read_text("utf-8")
    assert LINES[SMOKE_TEST] in page
    assert "Time of a frame" in page
    assert "<img" in page or "predicted IoU" in page


@pytest.fixture
def short(shipped_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of seconds: few frames, and a bundle that other tests have made."""

    def copied(output: Path) -> Bundle:
        shutil.copytree(shipped_bundle, output)
        return open_bundle(str(output))

    monkeypatch.setattr(demo, "export_default", copied)
    monkeypatch.setattr(demo, "FRAMES", FRAMES)
    monkeypatch.setattr(demo, "BENCH_FRAMES", 2)


@pytest.mark.usefixtures("short")
def test_the_demo_writes_what_it_names(tmp_path: Path) -> None:
    app = make_app("tests", [demo.demo])
    command = ["demo", "-o", str(tmp_path / "demo")]
    done = CliRunner().invoke(app, command)
    assert done.exception is None, done.output
    check_results(tmp_path / "demo", done.stdout, FRAMES)
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, OutputError)
    assert "--force" in str(again.exception)


@pytest.mark.usefixtures("short")
def test_the_demo_takes_a_video_and_a_network_of_ones_own(
    shipped_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = []

    def exported(recipe: Recipe, progress: object) -> Bundle:
        recipes.append(recipe)
        shutil.copytree(shipped_bundle, str(recipe.output))
        return open_bundle(str(recipe.output))

    monkeypatch.setattr(export, "export", exported)
    monkeypatch.setattr(demo, "OWN_FRAMES", 6)
    clip = generate_clip(3, ClipConfig(height=90, width=160, frames=8))
    write_video(clip, tmp_path / "own.mp4", 24.0)
    app, out = make_app("tests", [demo.demo]), tmp_path / "demo"
    command = ["demo", "--video", str(tmp_path / "own.mp4"), "--model", "mine.pt", "-o", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exception is None, done.output
    assert [(recipe.model, recipe.precision) for recipe in recipes] == [("mine.pt", "fp32")]
    results = json.loads((out / "track" / "results.json").read_text())
    assert len(results["frames"]) == 6
    assert results["prompts"][0]["points"] == [[80.0, 45.0]]
    assert not (out / "clip.mp4").exists()
    assert "own.mp4, 160x90" in done.stdout
    assert cv2.imread(str(out / "contact_sheet.png")) is not None

    wrong = {"900,4": "outside the frame of 160x90", "here": "cannot read 'here'"}
    for point, message in wrong.items():
        refused = CliRunner().invoke(app, [*command, "--force", "--point", point])
        assert isinstance(refused.exception, PromptError)
        assert message in str(refused.exception)
    alone = CliRunner().invoke(app, ["demo", "--point", "4,5", "-o", str(tmp_path / "other")])
    assert isinstance(alone.exception, ArgumentError)
    assert "give it with --video" in str(alone.exception)


@pytest.mark.slow
def test_the_demo_as_it_is(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "sam2lite"
    done = subprocess.run(
        [program, "demo", "-o", tmp_path / "demo"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    check_results(tmp_path / "demo", done.stdout, demo.FRAMES)
