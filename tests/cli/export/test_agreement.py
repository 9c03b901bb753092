"""Footage given with a lower precision: masks are compared on it, and commands say how."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sam2lite.cli.export.main import app as export_app
from sam2lite.cli.main import app
from sam2lite.data.clips import ClipConfig, generate_clip, write_video
from sam2lite.errors import VideoError
from sam2lite.runtimes.bundle import read_manifest

runner = CliRunner()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    clip = generate_clip(5, ClipConfig(height=90, width=160, frames=8))
    write_video(clip, tmp_path / "room.mp4", 24.0)
    return tmp_path / "room.mp4"


def test_storing_in_fp16_is_compared_with_fp32(model: str, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "b"
    arguments = ["ort", "--fp16", "--model", model, "--rungs", "240", "-o", str(out), "--json"]
    result = runner.invoke(export_app, [*arguments, "--calib", str(video), "--calib-frames", "6"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["agreement"]
    assert found == read_manifest(str(out))[0].verification["agreement"]
    assert (found["frames"], found["split"]) == (6, "nothing was calibrated")
    assert [clip["name"] for clip in found["clips"]] == ["room.mp4 from frame 0"]
    said = f"mean IoU {found['mean_iou']:.4f}, lowest {found['lowest_iou']:.4f} over 6 frames"
    assert f"masks against FP32's: {said}" in result.stderr
    assert "(room.mp4, nothing was calibrated)" in result.stderr
    assert "  room.mp4 from frame 0: mean IoU" in result.stderr
    shown = " ".join(runner.invoke(app, ["inspect", str(out)]).stdout.split())
    assert "masks against FP32's" in shown
    verified = runner.invoke(app, ["verify", str(out)]).stdout
    assert f"masks against FP32's at export: {said}" in verified
    assert "  room.mp4 from frame 0: mean IoU" in verified


def test_footage_that_cannot_be_read_ends_it_before_any_work(model: str, tmp_path: Path) -> None:
    arguments = ["ort", "--fp16", "--model", model, "--rungs", "240", "-o", str(tmp_path / "b")]
    result = runner.invoke(export_app, [*arguments, "--calib", str(tmp_path / "none.mp4")])
    assert isinstance(result.exception, VideoError)
    assert not (tmp_path / "b").exists()
