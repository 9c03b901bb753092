"""`sam2lite clean`: masks that are files already."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from sam2lite.cli.clean import cleaned_labels
from sam2lite.cli.main import app
from sam2lite.errors import ArgumentError, OutputError, VideoError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["clean", *map(str, arguments)])


def picture(path: Path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    (folder / "1").mkdir(parents=True)
    mask = np.zeros((20, 30), np.uint8)
    mask[2:12, 2:12] = 255
    cv2.imwrite(str(folder / "1" / "000001.png"), mask)
    mask[5, 5] = 0
    mask[18, 28] = 255
    cv2.imwrite(str(folder / "1" / "000000.png"), mask)
    return folder


def test_islands_and_holes_go_and_names_stay(masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(masks, "-o", out, "--remove-islands", 4, "--fill-holes", 4, "--json")
    assert result.exception is None, result.output
    found = json.loads(result.stdout)
    assert (found["files"], found["changed"], found["pixels"]) == (2, 1, 2)
    first, second = (picture(out / "1" / f"00000{n}.png") for n in (0, 1))
    assert np.array_equal(first, second)
    again = ("-o", out, "--fill-holes", 4)
    assert isinstance(run(masks, *again).exception, OutputError)
    assert run(masks, *again, "--force").exception is None


def test_objects_take_nothing_from_each_other() -> None:
    labels = np.zeros((9, 9), np.uint8)
    labels[1:8, 1:8] = 3
    labels[4, 4] = 7  # an object in a hole of another
    labels[2, 2] = 0
    done = cleaned_labels(labels, islands=0, holes=5)
    assert done[4, 4] == 7
    assert done[2, 2] == 3


def test_mistakes(masks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert isinstance(run(masks, "-o", out).exception, ArgumentError)
    empty = tmp_path / "empty"
    empty.mkdir()
    for wrong in (empty, tmp_path / "missing"):
        assert isinstance(run(wrong, "-o", out, "--fill-holes", 1).exception, VideoError)
    cv2.imwrite(str(masks / "colours.png"), np.zeros((4, 4, 3), np.uint8))
    result = run(masks, "-o", out, "--fill-holes", 1)
    assert isinstance(result.exception, VideoError)
    assert "colours.png" in str(result.exception)
    (masks / "colours.png").write_text("no picture")
    assert isinstance(run(masks, "-o", out, "--fill-holes", 1).exception, VideoError)
    assert not out.exists()
