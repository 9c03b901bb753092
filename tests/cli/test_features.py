"""`sam2lite features`: its page, its pictures, its numbers, and what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest
from typer.testing import CliRunner, Result

from sam2lite.cli.main import app
from sam2lite.data.clips import ClipConfig, generate_clip
from sam2lite.errors import ArgumentError, OutputError, PromptError, UnknownNameError, VideoError
from tests.cli.report_pages import Page


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("frames")
    clip = generate_clip(3, ClipConfig(height=90, width=120, frames=2))
    for index, frame in enumerate(clip.frames_rgb_thwc):
        cv2.imwrite(str(folder / f"{index}.png"), frame[..., ::-1])
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["features", *map(str, arguments)])


def numbers(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "features.json").read_text())
    return found


def test_two_views_of_a_frame_with_a_click(
    mini_bundle: Path, model: str, video: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run(
        *("--bundle", mini_bundle, "--model", model, "--video", video, "--frame", 1),
        *("--point", "60,45", "-o", out),
    )
    assert result.exception is None, result.output
    found = numbers(out)
    assert len(found["stages"]) == 3
    for views in found["stages"].values():
        assert [each["cosines"] is None for each in views] == [True, False]
        assert views[1]["mean_cosine"] > 0.999  # the bundle computes what PyTorch does
        assert views[1]["median_error"] < 1e-4
    assert "Nyström" not in json.dumps(found)  # 3600 tokens at most
    assert found["blocks"]
    assert found["position_tables"]
    (masks,) = found["ablation"].values()
    assert [len(each["without"]) for each in masks] == [0, 1, 1, 2]
    assert masks[0]["iou"] == 1.0
    assert found["remarks"] == []

    page = Page((out / "features.html").read_text("utf-8"))
    assert page.wrong == []
    assert len(set(page.anchors)) == len(page.anchors)
    pictures = [each for each in page.addresses if each.startswith("data:image/png;base64,")]
    files = sorted(out.glob("*.png"))
    assert len(pictures) == len(files) == page.tags["img"]
    for path in files:
        assert cv2.imread(str(path)) is not None, path
    for text in ("Tokens like the clicked one", "Position tables", "Norms of tokens", "principal"):
        assert text in page.text


def test_a_module_of_the_network_and_what_a_bundle_cannot_show(
    mini_bundle: Path, model: str, video: Path, tmp_path: Path
) -> None:
    stage = "stages.3.blocks.0"
    common = ("--bundle", mini_bundle, "--video", video, "--stage", stage)
    result = run(*common, "--model", model, "-o", tmp_path / "out", "--json")
    assert result.exception is None, result.output
    found = json.loads(result.stdout)
    assert [each["view"] for each in found["stages"][stage]] == ["mini in PyTorch, 240 px"]
    assert any(stage in remark for remark in found["remarks"])
    with pytest.raises(UnknownNameError, match=stage):
        raise run(*common, "-o", tmp_path / "none").exception or AssertionError


def test_a_bundle_alone_says_what_is_missing(
    mini_bundle: Path, video: Path, tmp_path: Path
) -> None:
    stage = ("--stage", "features_s16_bchw")
    result = run("--bundle", mini_bundle, "--video", video, *stage, "-o", tmp_path / "out")
    assert result.exception is None, result.output
    assert "--model" in result.stderr
    assert "--point" in result.stderr
    again = ("--bundle", mini_bundle, "--video", video, *stage, "-o", tmp_path / "out")
    assert isinstance(run(*again).exception, OutputError)
    assert run(*again, "--force").exception is None


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (("--frame", "7"), VideoError, "no frame 7"),
        (("--point", "1"), PromptError, "--point X,Y"),
        (("--point", "500,2"), PromptError, "outside the frame"),
        (("--point", "nan,2"), PromptError, "finite"),
        (("--rung", "480"), UnknownNameError, "480"),
        (("--rung", "240", "--rung", "240"), ArgumentError, "twice"),
        (("--stage", "nothing"), UnknownNameError, "features_s16_bchw"),
    ],
)
def test_mistakes_are_one_sentence(
    mini_bundle: Path,
    video: Path,
    tmp_path: Path,
    given: tuple[str, ...],
    error: type[Exception],
    said: str,
) -> None:
    out = tmp_path / "out"
    result = run("--bundle", mini_bundle, "--video", video, "-o", out, *given)
    assert isinstance(result.exception, error), result.output
    assert said in str(result.exception)
    assert not out.exists()


def test_another_folder_is_not_replaced(mini_bundle: Path, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "photos"
    shutil.copytree(video, out)
    result = run("--bundle", mini_bundle, "--video", video, "-o", out, "--force")
    assert isinstance(result.exception, OutputError)
    assert (out / "0.png").read_bytes() == (video / "0.png").read_bytes()
