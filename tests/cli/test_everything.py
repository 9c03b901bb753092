"""`sam2lite everything` and the mask options of `track`, as a user types them."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from sam2lite.cli.main import app
from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.errors import OutputError, UnknownNameError, VideoError
from sam2lite.runtimes import rle


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("frames")
    clip = generate_clip(8, ClipConfig(height=90, width=120, frames=3))
    for index, frame in enumerate(clip.frames_rgb_thwc):
        cv2.imwrite(str(folder / f"{index}.png"), frame[..., ::-1])
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_masks_of_everything(shipped_bundle: Path, frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ("everything", "--bundle", shipped_bundle, "--image", frames / "0.png", "-o", out)
    result = run(*given, "--points-per-side", 4, "--min-iou", 0.3, "--png", "--json")
    assert result.exception is None, result.output
    data = json.loads(result.stdout)
    assert json.loads((out / "masks.json").read_text()) == data
    assert data["info"]["points_per_side"] == 4
    assert data["annotations"]
    assert all(each["predicted_iou"] >= 0.3 for each in data["annotations"])
    overlay = cv2.imread(str(out / "overlay.png"))
    assert overlay is not None
    assert overlay.shape == (90, 120, 3)
    for each, path in zip(data["annotations"], sorted((out / "png").iterdir()), strict=True):
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        assert np.array_equal(mask > 0, rle.decode(each["segmentation"]))
    assert isinstance(run(*given).exception, OutputError)


def test_where_nothing_is_good_enough(shipped_bundle: Path, frames: Path, tmp_path: Path) -> None:
    given = ("everything", "--bundle", shipped_bundle, "--image", frames / "0.png")
    result = run(*given, "-o", tmp_path / "out", "--points-per-side", 2, "--min-iou", 1)
    assert result.exception is None, result.output
    assert "no mask was good enough" in result.stderr


@pytest.mark.parametrize(
    ("image", "more", "error"),
    [
        ("missing.png", (), VideoError),
        ("text.png", (), VideoError),
        ("0.png", ("--rung", "480"), UnknownNameError),
    ],
)
def test_mistakes(
    shipped_bundle: Path,
    frames: Path,
    tmp_path: Path,
    image: str,
    more: tuple[str, ...],
    error: type[Exception],
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    path = (tmp_path if image == "text.png" else frames) / image
    out = tmp_path / "out"
    result = run("everything", "--bundle", shipped_bundle, "--image", path, "-o", out, *more)
    assert isinstance(result.exception, error), result.output
    assert not out.exists()


def test_track_cleans_what_it_shows(mini_bundle: Path, frames: Path, tmp_path: Path) -> None:
    def tracked(name: str, *more: object) -> list[dict[str, Any]]:
        out = tmp_path / name
        given = ("track", "--bundle", mini_bundle, "--video", frames, "--point", "60,45")
        result = run(*given, "-o", out, "--no-overlay", "--no-masks", *more)
        assert result.exception is None, result.output
        return [
            frame["objects"]["1"]
            for frame in json.loads((out / "results.json").read_text())["frames"]
        ]

    plain = tracked("plain")
    assert all("hidden" not in each for each in plain)
    hidden = tracked("hidden", "--min-iou", 1)
    assert [each.get("hidden") for each in hidden[1:]] == [
        "iou" if each["visible"] else None for each in plain[1:]
    ]
    whole = tracked("whole", "--remove-islands", 10**6, "--fill-holes", 10**6)
    for each in whole:
        mask = rle.decode(each["rle"]).view(np.uint8)
        assert cv2.connectedComponents(mask, connectivity=8)[0] <= 2
