"""`sam2lite eval`: its output, its folder, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
from typer.testing import CliRunner

from sam2lite.cli.app import make_command
from sam2lite.cli.network.eval import eval as command
from sam2lite.cli.reports.html.inputs import read_eval
from sam2lite.contracts.provenance import LINES, UNTRAINED
from sam2lite.data.clips import ClipConfig, generate_clip, write_davis
from sam2lite.errors import (
    ArgumentError,
    BundleError,
    OutputError,
    Sam2LiteError,
    UnknownNameError,
    VideoError,
)
from sam2lite.runtimes.bundle import open_bundle

app = make_command(command)


@pytest.fixture(scope="module")
def davis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of four frames in the layout of DAVIS."""
    root = tmp_path_factory.mktemp("davis")
    config = ClipConfig(height=96, width=128, frames=4, objects=(2, 2), object_size=(0.3, 0.5))
    for seed in (3, 4):
        write_davis(generate_clip(seed, config), root, f"clip{seed}")
    return root


def run(*args: object) -> Any:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, [str(arg) for arg in args])


def test_json_and_folder(tiny_bundle: Path, davis: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    args = ["--bundle", tiny_bundle, "--davis", davis, "--prompt", "mask", "--rung", 240]
    result = run(*args, "--workers", 1, "--json", "-o", out)
    assert result.exception is None, result.exception
    report = json.loads(result.stdout)
    assert report["bundle"] == str(tiny_bundle)
    assert report["source"] == str(davis)
    assert (report["clips"], report["prompt"], report["seed"]) == (2, "mask", None)
    assert (report["rung"], list(report["rungs"])) == (240, ["240"])
    assert 80.0 < report["first_frame_j"] <= 100.0
    assert report["jf"] == pytest.approx((report["j"] + report["f"]) / 2, abs=0.02)
    own = report.keys() - {"clips", "frames", "rung", "rungs", "baselines", "schema_version"}
    for baseline in report["baselines"].values():
        assert {"first_frame_j", "j", "f", "jf", "j_last4"} <= baseline.keys() & own
    assert "untrained" in result.stderr
    assert report["weights"] == "untrained"
    assert report["bundle_sha256"] == open_bundle(str(tiny_bundle)).sha256

    written = json.loads((out / "results.json").read_text())
    listed = written.pop("per_object")
    assert read_eval(out / "results.json", report["bundle_sha256"])["per_object"] == listed
    assert written == report
    assert len(listed) == report["objects"]
    assert cv2.imread(str(out / "j_over_frames.png")) is not None
    assert len(list((out / "worst").glob("*_clip*_*.png"))) == min(6, report["objects"])


def test_table_by_rung(tiny_bundle: Path, davis: Path) -> None:
    args = ["--bundle", tiny_bundle, "--davis", davis, "--rungs", "--no-baselines"]
    result = run(*args, "--workers", 1)
    assert result.exception is None, result.exception
    for heading in ("240 px", "336 px", "480 px", "first frame J", "large"):
        assert heading in result.stdout
    assert f"weights: {LINES[UNTRAINED]}" in result.stdout
    assert "dis" not in result.stdout.split()


def test_images_have_a_first_frame_only(tiny_bundle: Path, tmp_path: Path) -> None:
    config = ClipConfig(height=96, width=128, frames=1, objects=(2, 2), object_size=(0.3, 0.5))
    write_davis(generate_clip(3, config), tmp_path, "still")
    args = ["--bundle", tiny_bundle, "--davis", tmp_path, "--prompt", "mask", "--rung", 240]
    result = run(*args, "--workers", 1, "--json", "-o", tmp_path / "out")
    assert result.exception is None, result.exception
    report = json.loads(result.stdout)
    assert (report["scored"], report["jf"], report["baselines"]["dis"]["jf"]) == (0, None, None)
    assert report["first_frame_j"] > 80.0
    assert "have no mask after the first frame" in result.stderr


@pytest.mark.parametrize(
    ("kind", "args", "named"),
    [
        (ArgumentError, [], "neither of --model and --bundle"),
        (ArgumentError, ["--model", "tiny", "--bundle", "B"], "both of --model and --bundle"),
        (BundleError, ["--bundle", "missing"], "missing"),
        (UnknownNameError, ["--model", "huge"], "known: tiny"),
        (UnknownNameError, ["--model", "tiny", "--prompt", "scribble"], "known: click, box, mask"),
        (UnknownNameError, ["--model", "tiny", "--rung", "100"], "known: 240"),
        (ArgumentError, ["--model", "tiny", "--rung", "240", "--rungs"], "--rung 240"),
        (
            ArgumentError,
            ["--model", "tiny", "--set", "eval-v1", "--clips", "2"],
            "--set and --clip",
        ),
        (ArgumentError, ["--model", "tiny", "--seed", "2"], "--clips"),
        (ArgumentError, ["--model", "tiny", "--clips", "0"], "0 clips"),
        (UnknownNameError, ["--model", "tiny", "--set", "eval-v0"], "eval-v1"),
        (VideoError, ["--model", "tiny", "--davis", "nowhere"], "nowhere"),
    ],
)
def test_wrong_arguments(kind: type[Sam2LiteError], args: list[str], named: str) -> None:
    result = run(*args)
    assert isinstance(result.exception, kind), result.exception
    assert named in str(result.exception)
    assert result.stdout == ""


def test_folder_without_masks(tiny_bundle: Path, davis: Path, tmp_path: Path) -> None:
    frames = tmp_path / "JPEGImages" / "480p" / "clip3"
    frames.parent.mkdir(parents=True)
    frames.symlink_to(davis / "JPEGImages" / "480p" / "clip3")
    result = run("--bundle", tiny_bundle, "--davis", tmp_path, "--workers", 1)
    assert isinstance(result.exception, VideoError)
    assert str(tmp_path) in str(result.exception)


def test_folder_that_is_there_is_kept(tiny_bundle: Path, davis: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    result = run("--bundle", tiny_bundle, "--davis", davis, "-o", tmp_path)
    assert isinstance(result.exception, OutputError)
    assert "--force" in str(result.exception)
