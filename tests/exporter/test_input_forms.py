"""Bundles for inputs that are not square: what is refused, and the way from command to masks."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import sam2lite
from sam2lite.calibration.ranges import ActivationRanges, Provenance, load_ranges
from sam2lite.cli.export.main import app as export_app
from sam2lite.cli.main import app
from sam2lite.contracts.input_sizes import Aspect
from sam2lite.data.clips import ClipConfig, generate_clip, write_video
from sam2lite.errors import ArgumentError, CalibrationError, RecipeError
from sam2lite.runtimes.bundle import open_bundle
from tests.models.sam2.conftest import small


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "small.pt"
    torch.save({"model": small().state_dict()}, path)
    return path


def run(command: Any, *arguments: object) -> str:
    words = [str(each) for each in arguments]
    return CliRunner().invoke(command, words, catch_exceptions=False).output


def test_a_recipe_has_one_form(tmp_path: Path) -> None:
    recipe = sam2lite.Recipe(sizes=["672x384", "448x256", "672x384"], output="b")
    assert recipe.sizes == ("448x256", "672x384")
    assert recipe.input_sizes == ((448, 672), (7, 4))
    recipe.save(tmp_path / "recipe.yaml")
    assert sam2lite.Recipe.load(tmp_path / "recipe.yaml") == recipe
    # A square is the same export, however it is written.
    assert sam2lite.Recipe(sizes=["512x512"]) == sam2lite.Recipe(sizes=[512])
    for sizes, said in ((["672x384", 512], "several forms"), (["672 x 384"], "give px")):
        with pytest.raises(RecipeError, match=f"`sizes`: .*{said}"):
            sam2lite.Recipe(sizes=sizes)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("672x400", r"672x400: the network does not take 400 px; .* nearest are 384 and 416$"),
        ("670x384", "670x384: the network does not take 670 px; .* nearest are 640 and 672$"),
        ("200x100", "does not take 200 px; .*192 and 224; the network does not take 100 px; .*128"),
        ("1280x96", "does not take 96 px; .* nearest is 128$"),
        ("672x384,512x288", "512x288 is 16:9, 672x384 is 7:4"),
        ("672*384", "give numbers as in 240,480, or 672x384"),
    ],
)
def test_sizes_that_are_refused(checkpoint: Path, tmp_path: Path, size: str, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        run(export_app, "ort", "--model", checkpoint, "--image-sizes", size, "-o", tmp_path / "b")


def test_a_family_that_takes_squares_alone(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="SAM2-Lite takes square inputs alone, not 3:2"):
        sam2lite.export(sam2lite.Recipe(model="tiny", sizes=["480x320"], output=tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_ranges_of_another_form_are_refused() -> None:
    made = Provenance("m", "a" * 64, (672,), "minmax", "generated", "b" * 64, 8, 0, "0.1", "7:4")
    ranges = ActivationRanges({}, made)
    ranges.check_fits("a" * 64, (672,), Aspect(7, 4))
    with pytest.raises(CalibrationError, match="inputs of the form 7:4, not 1:1; calibrate"):
        ranges.check_fits("a" * 64, (672,))


@pytest.mark.slow
def test_from_the_command_to_masks(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bundle, sizes = tmp_path / "wide", "192x128,288x192"
    run(export_app, "ort", "--model", checkpoint, "--image-sizes", sizes, "-o", bundle)
    manifest = open_bundle(str(bundle)).manifest
    assert (manifest.rungs, manifest.aspect) == ((192, 288), (3, 2))
    assert manifest.graphs["mask_decoder@192"].spec.outputs[0].shape == (1, 4, 32, 48)
    assert json.loads((bundle / "manifest.json").read_text())["schema_version"] == 2
    assert manifest.verification["loop"]["min_iou"] == 1.0
    assert manifest.verification["loop"]["rungs"] == [288, 192]
    assert "192x128, 288x192" in run(app, "inspect", bundle)
    found = json.loads(run(app, "verify", bundle, "--model", checkpoint, "--json"))
    assert found["loop"]["min_iou"] == 1.0
    clip = generate_clip(2, ClipConfig(height=72, width=128, frames=3))
    write_video(clip, tmp_path / "clip.mp4", 24.0)
    track = ("track", "--bundle", bundle, "--video", tmp_path / "clip.mp4", "--box", "20,10,90,60")
    for resize in ("halving", "bicubic", "antialias"):
        run(app, *track, "--set", f"resize={resize}", "--no-overlay", "-o", tmp_path / resize)
        results = json.loads((tmp_path / resize / "results.json").read_text())
        assert [frame["rung"] for frame in results["frames"]] == [288] * 3


@pytest.mark.slow
def test_calibrated_in_its_form(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    ranges = tmp_path / "ranges.json"
    model = ("--model", checkpoint, "--image-sizes", "192x128")
    run(app, "calibrate", *model, "--calib-frames", 8, "--observer", "minmax", "-o", ranges)
    assert load_ranges(ranges).provenance.aspect == "3:2"
    square = ("ort", "--model", checkpoint, "--int8", "--ranges", ranges, "-o", tmp_path / "b")
    with pytest.raises(CalibrationError, match="of the form 3:2, not 1:1"):
        run(export_app, *square, "--image-sizes", "192")
    wide = ("ort", *model, "--int8", "--ranges", ranges, "--accept-drop", "-o", tmp_path / "b")
    run(export_app, *wide, "--calib-frames", 8)
    manifest = open_bundle(str(tmp_path / "b")).manifest
    assert manifest.calibration is not None
    assert (manifest.aspect, manifest.calibration["aspect"]) == ((3, 2), "3:2")
