import json
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
from sam2lite.runtimes.video.source import FrameSource, open_source

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


def test_numbers_that_are_not_finite_are_null(
    folder: Path, source: FrameSource, bundle: Bundle
) -> None:
    lost = {"lost": True, "visible": False, "mask": np.zeros((48, 64), bool)}
    with TrackWriter(str(folder), source, bundle, PROMPTS, budget_ms=20.0) as writer:
        writer.write(IMAGE, result(0))
        writer.write(IMAGE, result(1, iou=float("nan"), object_score=float("-inf"), **lost))
    results = json.loads((folder / "results.json").read_text())
    first, second = results["frames"]
    assert first["latency_ms"] == 12.346
    assert first["controller"] == {"window": 8, "status": "holding", "scale": 0.5}
    assert (second["lost"], second["objects"]["1"]["lost"]) == (True, True)
    assert second["objects"]["1"]["iou"] is None
    assert second["objects"]["1"]["object_score"] is None
    assert (writer.frames_by_object, writer.visible_by_object) == ({1: 2}, {1: 1})
    assert writer.latency_ms == pytest.approx(2 * 12.3456)


def test_each_frame_is_a_line(folder: Path, source: FrameSource, bundle: Bundle) -> None:
    with TrackWriter(str(folder), source, bundle, PROMPTS) as writer:
        for index in range(9):
            writer.write(IMAGE, result(index))
    lines = (folder / "results.json").read_text().splitlines()
    assert sum('"latency_ms"' in line for line in lines) == 9
    assert writer.warnings == []


def test_prompts_that_never_came_are_a_warning(
    folder: Path, source: FrameSource, bundle: Bundle
) -> None:
    source.warning = "the source is odd"
    with TrackWriter(str(folder), source, bundle, PROMPTS) as writer:
        writer.write(IMAGE, result(0))
    late, odd = json.loads((folder / "results.json").read_text())["warnings"]
    assert "after 1 frames" in late
    assert "never came: 7" in late
    assert odd == "the source is odd"


def test_an_error_in_the_block_leaves_no_overlay(
    folder: Path, source: FrameSource, bundle: Bundle
) -> None:
    writer = TrackWriter(str(folder), source, bundle, PROMPTS)
    with pytest.raises(KeyError), writer:
        writer.write(IMAGE, result(0))
        raise KeyError("something else")
    assert sorted(path.name for path in folder.iterdir()) == ["masks", "results.json"]


def test_a_folder_that_is_gone_is_named(folder: Path, source: FrameSource, bundle: Bundle) -> None:
    with pytest.raises(OutputError, match=r"out/missing.*room"):
        TrackWriter(str(folder / "missing"), source, bundle, PROMPTS)
