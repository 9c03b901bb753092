"""`track` on live sources: every record is of the frame that it says, however fast they come."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sam2lite.cli.app import make_app
from sam2lite.cli.bundle.track import track
from sam2lite.errors import ArgumentError, OutputError
from sam2lite.runtimes import rle
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.commands.track_run import track_video
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.video.colours import PALETTE_BGR
from sam2lite.runtimes.video.overlay import draw_overlay
from sam2lite.runtimes.video.source import open_source
from sam2lite.runtimes.video.writer import VideoWriter
from tests.interrupts import interruptible

WIDTH, HEIGHT = 320, 180
SIDE = 20  # of a block that is a bit
BITS = 8


def numbered(index: int) -> np.ndarray:
    """Return a frame that carries its number as black and white blocks along its upper edge."""
    frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    cv2.circle(frame, (100 + index, 120), 30, (40, 160, 220), -1)
    for bit in range(BITS):
        frame[:SIDE, bit * SIDE : (bit + 1) * SIDE] = 255 * (index >> bit & 1)
    return frame


def distance(overlay: np.ndarray, number: int, record: dict[str, Any]) -> float:
    """Return how far an overlay is from a numbered frame with a record's mask, grey levels."""
    (found,) = record["objects"].values()
    masks = {1: rle.decode(found["rle"])}
    strip = slice(0, SIDE), slice(0, BITS * SIDE)
    drawn = [draw_overlay(numbered(number), masks, colours={1: each}) for each in PALETTE_BGR]
    return min(float(np.abs(overlay[strip].astype(int) - each[strip]).mean()) for each in drawn)


def write_numbered(path: Path, frames: int, fps: float) -> Path:
    with VideoWriter(path, fps, WIDTH, HEIGHT) as writer:
        for index in range(frames):
            writer.write(numbered(index))
    return path


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return open_bundle(str(tiny_bundle))


def run(bundle: Bundle, clip: Path, output: Path, **options: Any) -> dict[str, Any]:
    prompts = options.pop("prompts", {0: {1: Prompt(points=[(100, 120)])}})
    track_video(bundle, clip, prompts, output, rung=240, masks=False, **options)
    results: dict[str, Any] = json.loads((output / "results.json").read_text())
    return results


@pytest.mark.parametrize(
    ("fps", "frames"), [(300.0, 120), (8.0, 8)], ids=["faster than the loop", "slower"]
)
def test_records_are_of_the_frames_that_they_say(
    fps: float, frames: int, bundle: Bundle, tmp_path: Path
) -> None:
    clip = write_numbered(tmp_path / "clip.mp4", frames, fps)
    results = run(bundle, clip, tmp_path / "out", live=True)
    records = results["frames"]
    overlays = list(open_source(tmp_path / "out" / "overlay.mp4"))
    for overlay, record in zip(overlays, records, strict=True):
        shown = distance(overlay, record["source_index"], record)
        assert shown < 10
        assert shown < distance(overlay, record["source_index"] + 1, record)
    assert [record["index"] for record in records] == list(range(len(records)))
    assert records[0]["source_index"] == 0  # which the click was made for
    for before, record in itertools.pairwise(records):
        assert record["dropped"] == record["source_index"] - before["source_index"] - 1
        assert record["capture_ms"] > before["capture_ms"]
    for record in records:
        assert record["latency_ms"] >= record["compute_ms"] > 0
        assert record["pts_ms"] == pytest.approx(1000 * record["source_index"] / fps, abs=1)
    assert results["dropped_frames"] == sum(record["dropped"] for record in records)
    if fps < 100:
        assert len(records) == frames
    else:
        assert results["dropped_frames"] > 0


def test_prompts_land_on_their_frames_though_others_are_dropped(
    bundle: Bundle, tmp_path: Path
) -> None:
    clip = write_numbered(tmp_path / "clip.mp4", 120, 300.0)
    prompts = {
        at: {1 + place: Prompt(points=[(100 + at, 120)])} for place, at in enumerate((0, 61, 62))
    }
    results = run(bundle, clip, tmp_path / "out", live=True, prompts=prompts)
    begun: dict[str, int] = {}
    for record in results["frames"]:
        for object_id in record["objects"]:
            begun.setdefault(object_id, record["source_index"])
    assert begun == {"1": 0, "2": 61, "3": 62}
    assert results["dropped_frames"] > 0
    assert results["warnings"] == []


def test_a_recording_that_is_not_live_is_whole(bundle: Bundle, tmp_path: Path) -> None:
    clip = write_numbered(tmp_path / "clip.mp4", 9, 300.0)
    results = run(bundle, clip, tmp_path / "out")
    assert [record["source_index"] for record in results["frames"]] == list(range(9))
    assert results["live"] is False


def test_the_overlay_of_a_live_run_takes_as_long_as_the_run(bundle: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("av")  # OpenCV's writer knows no times
    clip = write_numbered(tmp_path / "clip.mp4", 120, 300.0)
    records = run(bundle, clip, tmp_path / "out", live=True)["frames"]
    overlay = open_source(tmp_path / "out" / "overlay.mp4")
    shown_ms = [frame.pts_ms for frame in overlay.captured()]
    captured_ms = [record["capture_ms"] - records[0]["capture_ms"] for record in records]
    assert shown_ms == pytest.approx(captured_ms, abs=1.0)


def test_a_pixels_form_is_kept(bundle: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("av")
    clip = tmp_path / "clip.mp4"
    with VideoWriter(clip, 25, WIDTH, HEIGHT, pixel_aspect=(64, 45)) as writer:
        for index in range(3):
            writer.write(numbered(index))
    results = run(bundle, clip, tmp_path / "out")
    assert results["pixel_aspect"] == [64, 45]
    assert open_source(tmp_path / "out" / "overlay.mp4").pixel_aspect == (64, 45)


def test_an_age_is_held_by_the_controller(bundle: Bundle, tmp_path: Path) -> None:
    clip = write_numbered(tmp_path / "clip.mp4", 6, 25.0)
    results = run(bundle, clip, tmp_path / "file", max_age_ms=1000.0)
    assert results["budget_ms"] == 1000.0
    results = run(bundle, clip, tmp_path / "live", max_age_ms=100.0, live=True)
    assert results["budget_ms"] == pytest.approx(60.0)
    assert all("controller" in record for record in results["frames"])


def test_the_stream_has_what_the_results_have(bundle: Bundle, tmp_path: Path) -> None:
    clip = write_numbered(tmp_path / "clip.mp4", 6, 25.0)
    results = run(bundle, clip, tmp_path / "out", stream=str(tmp_path / "lines.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert lines == results["frames"]
    found = lines[0]["objects"]["1"]
    assert sorted(found) == sorted(
        ["visible", "lost", "iou", "object_score", "area", "box", "centroid", "rle"]
    )


def test_a_stream_that_cannot_be_opened_leaves_nothing(bundle: Bundle, tmp_path: Path) -> None:
    clip = write_numbered(tmp_path / "clip.mp4", 6, 25.0)
    with pytest.raises(OutputError, match="cannot stream to"):
        run(bundle, clip, tmp_path / "out", stream=str(tmp_path / "missing" / "lines"))
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


CODE = (
    "from sam2lite.cli.app import make_app, run_app\n"
    "from sam2lite.cli.bundle.track import track\n"
    "run_app(make_app('tests', [track]))\n"
)


def command(bundle: Bundle, clip: Path, output: Path, *args: str) -> list[str]:
    options = ["--bundle", bundle.path, "--rung", "240", "--video", str(clip), "-o", str(output)]
    return [sys.executable, "-c", CODE, "track", *options, "--point", "100,120", *args]


def test_lines_come_while_the_run_goes_on(bundle: Bundle, tmp_path: Path) -> None:
    clip = write_numbered(tmp_path / "clip.mp4", 250, 8.0)
    with interruptible(
        command(bundle, clip, tmp_path / "out", "--live", "--stream", "-"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        for index in range(3):
            assert json.loads(process.stdout.readline())["index"] == index
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        rest, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    lines = [json.loads(line) for line in rest.splitlines()]
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(results["frames"]) == 3 + len(lines)
    assert "frames/s in all" in told  # and not on standard output


def test_a_signal_before_the_first_frame_leaves_nothing(bundle: Bundle, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    clip = write_numbered(tmp_path / "clip.mp4", 6, 8.0)
    with interruptible(
        command(bundle, clip, tmp_path / "out"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        end_s = time.monotonic() + 60
        while not list(tmp_path.glob(".out.partial-*")) and time.monotonic() < end_s:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr
    if not (tmp_path / "out").exists():  # it was quick, unless the first frame was quicker
        assert stdout == ""
        assert process.returncode == 130
    assert not list(tmp_path.glob(".out.*"))


def test_two_budgets_are_one_too_many(bundle: Bundle, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    clip = write_numbered(tmp_path / "clip.mp4", 2, 25.0)
    args = command(bundle, clip, tmp_path / "out", "--budget-ms", "30", "--max-age-ms", "90")[4:]
    result = CliRunner().invoke(make_app("tests", [track]), ["track", *args])
    assert isinstance(result.exception, ArgumentError)
    assert "two budgets" in str(result.exception)
