"""Layers of few bits, and sizes that were tried: in `inspect`, its plot, and the page."""

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
from typer.testing import CliRunner, Result

from sam2lite.cli.main import app
from sam2lite.errors import ArgumentError
from tests.cli.report_pages import Page

POINTS = [
    {
        "mb": mb,
        "four_bit_layers": four,
        "eight_bit_layers": 5 - four,
        "float_layers": 1,
        "jf": 48.0 + mb,
        "first_frame_j": 55.0,
        "mean_iou": iou,
        "chosen": mb == 2.0,
    }
    for mb, four, iou in ((3.0, 0, 0.97), (1.0, 3, None), (2.0, 2, 0.91))
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    """A manifest that says what an export with `--max-mb` says."""
    data: dict[str, Any] = json.loads((mini_bundle / "manifest.json").read_text())
    data["calibration"] = {
        "observer": "mse",
        "frames": 64,
        "source": "clips",
        "four_bit_layers": ["mask_decoder.a", "mask_decoder.b"],
        "int8_layers": ["image_encoder.stem.0"],
        "float_layers": {"mask_decoder.c": "loses too much"},
    }
    verification = data["verification"]
    scores = {"jf": 51.0, "first_frame_j": 56.0}
    verification["accuracy"] = {"clips": 8, "rung": 240, "before": scores, "after": scores}
    verification["sizes"] = {"max_mb": 2.0, "points": POINTS}
    graphs = verification["graphs"]
    graphs["image_encoder@240"]["layers"] = {
        "image_encoder.stem.0": {"bits": 8.59, "bytes": 432, "error": 1.5e-4}
    }
    graphs["mask_decoder@240"]["layers"] = {
        "mask_decoder.a": {"bits": 4.63, "bytes": 37888, "error": 2.5e-5},
        "mask_decoder.c": {"bits": 16.0, "bytes": 131072, "error": None},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    return tmp_path


def test_inspect_lists_layers_and_sizes(bundle: Path) -> None:
    result = run("inspect", bundle)
    assert result.exception is None, result.output
    lines = result.stdout.splitlines()
    assert any("2 in four bits, 1 in INT8, 1 in float" in line for line in lines)
    for path, *cells in (
        ("image_encoder.stem.0", "8.59", "0.000", "1.5e-04"),
        ("mask_decoder.a", "4.63", "0.038", "2.5e-05"),
        ("mask_decoder.c", "16.00", "0.131", "in float"),
    ):
        (row,) = (line for line in lines if path in line and cells[0] in line)
        assert all(cell in row for cell in cells)
    (chosen,) = (line for line in lines if "this bundle" in line)
    assert "2.00 MB: 2 layers in four bits, 3 in eight, 1 in float; J&F 50.00" in chosen


def test_a_plot_of_sizes(bundle: Path, mini_bundle: Path, tmp_path: Path) -> None:
    assert run("inspect", bundle, "--plot", tmp_path / "sizes.png").exception is None
    assert cv2.imread(str(tmp_path / "sizes.png")) is not None
    refused = run("inspect", mini_bundle, "--plot", tmp_path / "none.png")
    assert isinstance(refused.exception, ArgumentError)
    assert "--max-mb" in str(refused.exception)


def test_sizes_are_on_the_page(bundle: Path, tmp_path: Path) -> None:
    assert run("report", bundle, "-o", tmp_path / "report.html").exception is None
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.wrong == []
    for text in ("Other sizes", "mean IoU with FP32's masks", "this bundle", "2 in four bits"):
        assert text in page.text
