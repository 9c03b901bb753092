import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from sam2lite.bench import compare as command
from sam2lite.bench.compare import Agreement
from sam2lite.cli.bundle.compare import compare
from sam2lite.errors import (
    ArgumentError,
    BundleError,
    PromptError,
    Sam2LiteError,
    UnknownNameError,
    VerificationError,
    VideoError,
)
from sam2lite.runtimes.results import ObjectResult
from sam2lite.runtimes.video.captured import CapturedFrame
from sam2lite.runtimes.video.frame_source import FrameSource

FRAMES = 5
app = typer.Typer()
app.command()(compare)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    noise = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    for index in range(FRAMES):
        cv2.imwrite(str(folder / f"{index}.png"), np.roll(noise, 2 * index, axis=1))
    return folder


@pytest.fixture(scope="module")
def small_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network, at the lowest rung alone."""
    path = tmp_path_factory.mktemp("bundles") / "small"
    shutil.copytree(tiny_bundle, path, copy_function=os.link)
    manifest = path / "manifest.json"
    data = json.loads(manifest.read_text())
    data["rungs"] = [240]
    manifest.unlink()
    manifest.write_text(json.dumps(data))
    return path


def run(a: Path, b: Path, video: Path, *args: str) -> Any:
    return CliRunner(env={"COLUMNS": "160"}).invoke(
        app, [str(a), str(b), "--video", str(video), *args]
    )


def report_of(a: Path, b: Path, video: Path, *args: str) -> dict[str, Any]:
    result = run(a, b, video, "--json", *args)
    assert result.exception is None, result.exception
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_a_bundle_agrees_with_itself(tiny_bundle: Path, clip: Path) -> None:
    args = ["--rung", "240", "--point", "40,30", "--box", "10,10,50,60,2", "--min-iou", "1"]
    report = report_of(tiny_bundle, tiny_bundle, clip, *args)
    assert (report["frames"], list(report["objects"])) == (FRAMES, ["1", "2"])
    for found in report["objects"].values():
        assert found["frames"] == FRAMES
        assert found["mean_iou"] == found["min_iou"] == found["same_visibility"] == 1.0
        assert found["first_bad_frame"] is None
        assert found["both_empty_frames"] < FRAMES
        assert found["max_logit_difference"] == 0.0
    for bundle in report["bundles"]:
        assert (bundle["path"], bundle["model"], bundle["rung"]) == (str(tiny_bundle), "tiny", 240)
        assert len(bundle["sha256"]) == 64
        assert bundle["mean_ms"] > 0.0


def test_bundles_of_other_rungs_are_compared_in_source_pixels(
    tiny_bundle: Path, small_bundle: Path, clip: Path
) -> None:
    report = report_of(tiny_bundle, small_bundle, clip, "--point", "40,30", "--frames", "3")
    assert [bundle["rung"] for bundle in report["bundles"]] == [480, 240]
    assert report["frames"] == 3
    found = report["objects"]["1"]
    assert found["max_logit_difference"] is None
    assert found["min_iou"] <= found["mean_iou"] < 1.0


def test_the_table_comes_before_the_verdict(
    tiny_bundle: Path, small_bundle: Path, clip: Path
) -> None:
    args = ["--point", "40,30", "--frames", "3", "--min-iou", "1"]
    result = run(tiny_bundle, small_bundle, clip, *args)
    assert isinstance(result.exception, VerificationError)
    assert "the mean IoU of object 1" in str(result.exception)
    assert "Lowest IoU" in result.stdout
    assert f"B {small_bundle}: tiny fp32, rung 240" in result.stdout
    assert result.stderr.count("untrained") == 2


@pytest.mark.parametrize(
    ("kind", "args", "named"),
    [
        (ArgumentError, [], "--point 320,240"),
        (PromptError, ["--point", "96,30"], "(96, 30)"),
        (UnknownNameError, ["--point", "4,3", "--rung", "480"], "known: 240"),
    ],
)
def test_wrong_arguments(
    tiny_bundle: Path,
    small_bundle: Path,
    clip: Path,
    kind: type[Sam2LiteError],
    args: list[str],
    named: str,
) -> None:
    result = run(tiny_bundle, small_bundle, clip, *args)
    assert isinstance(result.exception, kind)
    assert named in str(result.exception)
    assert result.stdout == ""


def test_a_missing_bundle_is_named(tiny_bundle: Path, clip: Path, tmp_path: Path) -> None:
    result = run(tiny_bundle, tmp_path / "missing", clip, "--point", "4,3")
    assert isinstance(result.exception, BundleError)
    assert "missing" in str(result.exception)


@pytest.mark.parametrize("iou", ["-0.1", "1.1"])
def test_a_bound_out_of_range_is_refused(tiny_bundle: Path, clip: Path, iou: str) -> None:
    result = run(tiny_bundle, tiny_bundle, clip, "--point", "4,3", "--min-iou", iou)
    assert result.exit_code == 2


class Camera(FrameSource):
    """Two frames of a source that does not know its end."""

    is_live = True

    def __init__(self) -> None:
        super().__init__("camera", np.zeros((72, 96, 3), np.uint8), 30.0, None)

    def _captured(self) -> Iterator[CapturedFrame]:
        for index in range(2):
            yield CapturedFrame(np.zeros((72, 96, 3), np.uint8), index, 0.0, None)


def test_what_has_no_end_needs_a_number_of_frames(
    tiny_bundle: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "open_source", lambda video: Camera())
    result = run(tiny_bundle, tiny_bundle, clip, "--rung", "240", "--point", "40,30")
    assert isinstance(result.exception, ArgumentError)
    assert "--frames" in str(result.exception)

    late = tmp_path / "late.json"
    late.write_text('{"prompts": [{"frame": 4, "points": [[40, 30]]}]}')
    args = ["--rung", "240", "--frames", "9", "--prompts", str(late)]
    result = run(tiny_bundle, tiny_bundle, clip, *args)
    assert isinstance(result.exception, VideoError)
    assert "ended after 2 frames, before the first prompt" in str(result.exception)

    args = ["--rung", "240", "--frames", "9", "--point", "40,30", "--prompts", str(late)]
    result = run(tiny_bundle, tiny_bundle, clip, *args)
    assert result.exception is None
    assert "prompts never came: 4" in result.stderr


def found(columns: int, logit: float = 0.0, lost: bool = False) -> ObjectResult:
    """An object on the left of a frame of ten columns."""
    mask = np.zeros((4, 10), bool)
    mask[:, :columns] = True
    logits = np.full((2, 2), logit, np.float32)
    return ObjectResult(mask, logits, 0.5, 1.0, columns > 0, lost, prompted=False)


def test_agreement_is_summed_up() -> None:
    agreement = Agreement()
    agreement.add(3, found(10, 2.0), found(10, 1.0))
    agreement.add(4, found(5), found(10))
    agreement.add(5, found(0), found(10))
    agreement.add(6, found(0), found(0))
    agreement.add(7, found(0, np.nan, lost=True), found(0))
    assert agreement.to_json() == {
        "frames": 5,
        "mean_iou": (1.0 + 0.5 + 0.0 + 1.0 + 1.0) / 5,
        "min_iou": 0.0,
        "first_bad_frame": 4,
        "same_visibility": 0.8,
        "both_empty_frames": 2,
        "max_logit_difference": 1.0,
    }
