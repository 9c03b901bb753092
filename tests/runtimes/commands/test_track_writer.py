import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sam2lite.errors import OutputError
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.commands.track_writer import TrackWriter
from sam2lite.runtimes.controller import ControllerState
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult, ObjectResult
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.source import open_source

IMAGE = np.zeros((48, 64, 3), np.uint8)
PROMPTS = {0: {1: Prompt(points=[(3, 4)])}, 7: {1: Prompt(box=(1, 2, 3, 4))}}


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return open_bundle(str(tiny_bundle))


@pytest.fixture
def source(tmp_path: Path) -> FrameSource:
    cv2.imwrite(str(tmp_path / "image.png"), IMAGE)
    return open_source(tmp_path / "image.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    path.mkdir()
    return path


def result(index: int, **changes: Any) -> FrameResult:
    logits = np.zeros((60, 60), np.float32)
    found = ObjectResult(np.ones((48, 64), bool), logits, 0.5, 2.0, True, False, False)
    state = ControllerState(240, 8, "holding", 12.0, 0.5)
    return FrameResult(index, {1: found._replace(**changes)}, 240, {"total": 12.3456}, state)


def captured(index: int, pts_ms: float | None = None) -> CapturedFrame:
    return CapturedFrame(IMAGE, index, 1000.0 + 40 * index, pts_ms)


def test_each_frame_is_a_line(folder: Path, source: FrameSource, bundle: Bundle) -> None:
    with TrackWriter(str(folder), source, bundle, PROMPTS, budget_ms=20.0) as writer:
        for index in range(9):
            writer.write(captured(index), result(index), json.dumps({"index": index}))
        writer.finish(warnings=["odd"], ended_by=None)
    text = (folder / "results.json").read_text()
    assert sum('"index"' in line for line in text.splitlines()) == 9
    results = json.loads(text)
    assert [record["index"] for record in results["frames"]] == list(range(9))
    assert (results["warnings"], results["ended_by"]) == (["odd"], None)
    assert (results["live"], results["pixel_aspect"]) == (False, [1, 1])
    assert abs(results["clock"]["unix_s"] - time.time()) < 60
    assert abs(results["clock"]["monotonic_ms"] - now_ms()) < 60e3


def test_the_overlay_keeps_the_times_of_its_file(
    folder: Path, source: FrameSource, bundle: Bundle
) -> None:
    times_ms = [500.0, 533.0, 700.0, 1500.0]  # of a variable rate
    with TrackWriter(str(folder), source, bundle, PROMPTS) as writer:
        for index, pts_ms in enumerate(times_ms):
            writer.write(captured(index, pts_ms), result(index), "{}")
        writer.finish()
    shown = [frame.pts_ms for frame in open_source(folder / "overlay.mp4").captured()]
    assert shown == pytest.approx([0.0, 33.0, 200.0, 1000.0], abs=1.0)


def test_an_error_in_the_block_leaves_no_overlay(
    folder: Path, source: FrameSource, bundle: Bundle
) -> None:
    writer = TrackWriter(str(folder), source, bundle, PROMPTS)
    with pytest.raises(KeyError), writer:
        writer.write(captured(0), result(0), "{}")
        raise KeyError("something else")
    assert sorted(path.name for path in folder.iterdir()) == ["masks", "results.json"]


def test_a_folder_that_is_gone_is_named(folder: Path, source: FrameSource, bundle: Bundle) -> None:
    with pytest.raises(OutputError, match=r"out/missing.*room"):
        TrackWriter(str(folder / "missing"), source, bundle, PROMPTS)
