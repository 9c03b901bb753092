"""A family that the package knows nothing of is exported, verified and tracked."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from typer.testing import CliRunner

import sam2lite
from sam2lite.cli.main import app
from sam2lite.contracts import family
from sam2lite.data.clips import ClipConfig, generate_clip, write_video
from sam2lite.errors import ArgumentError, BundleError, UnknownNameError
from sam2lite.models.registry import load_model
from sam2lite.runtimes.bundle import Bundle
from tests.doubles.toy_family import TOY

SIZES = (32, 64)


@pytest.fixture(autouse=True, scope="module")
def known() -> Iterator[None]:
    """Register the toy, for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "_registered", {})
        family.register_family(TOY)
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single file, as people have them."""
    path = tmp_path_factory.mktemp("toy") / "toy.safetensors"
    save_file(load_model("toy", seed=1).model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def bundle(weights: Path) -> Bundle:
    recipe = sam2lite.Recipe(model=weights, sizes=SIZES, output=weights.parent / "bundle")
    return sam2lite.export(recipe)


def frame(brightness: int) -> np.ndarray:
    return np.full((40, 60, 3), brightness, np.uint8)


def test_its_bundle_says_what_it_is(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert (manifest.model.family, manifest.model.name) == ("toy", "toy")
    assert manifest.stages == ("eye", "brush")
    assert sorted(manifest.graphs) == ["brush@32", "brush@64", "eye@32", "eye@64"]
    assert manifest.postprocess.mask_stride == 8
    assert manifest.memory == {"masks": 1}
    loop = manifest.verification["loop"]
    # Its memory is of one size, so the loop that was compared stayed at it.
    assert (loop["first_divergence"], loop["rungs"]) == (None, [64])
    assert loop["non_empty"] > 0


def test_it_is_verified(bundle: Bundle, weights: Path) -> None:
    report = sam2lite.verify(bundle.path, model=str(weights))
    assert report["loop"]["min_iou"] == 1.0


def test_it_tracks(bundle: Bundle) -> None:
    with sam2lite.VideoSegmenter(bundle, first_logit=5.0) as segmenter:
        segmenter.prompt(frame(0), points=[(30, 20)])
        found = segmenter.track(frame(200))
        assert list(found.stage_ms) == ["preprocess", "eye", "brush", "postprocess", "total"]
        assert found.objects[1].logits.shape == (8, 8)
        with pytest.raises(ArgumentError, match="memory that Toy has written at 64 px"):
            segmenter.set_rung(32)
    with pytest.raises(UnknownNameError, match="unknown Toy setting 'policy'; known: first_logit"):
        sam2lite.VideoSegmenter(bundle, policy="fifo")


def test_the_command_tracks(bundle: Bundle, tmp_path: Path) -> None:
    clip = generate_clip(3, ClipConfig(height=48, width=64, frames=4))
    write_video(clip, tmp_path / "clip.mp4")
    command = ["track", "--bundle", bundle.path, "--video", str(tmp_path / "clip.mp4")]
    command += ["--box", "10,10,50,40", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert len(json.loads((tmp_path / "out" / "results.json").read_text())["frames"]) == 4


def test_it_can_be_looked_into(bundle: Bundle) -> None:
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, ["inspect", bundle.path])
    assert result.exit_code == 0, result.output
    assert "masks 1" in result.stdout


@pytest.mark.parametrize(("backend", "target"), [("trt", "jetson-nano"), ("coreml", "ios18")])
def test_other_backends_take_it(backend: str, target: str, weights: Path, tmp_path: Path) -> None:
    recipe = sam2lite.Recipe(
        model=weights, backend=backend, target=target, sizes=SIZES[-1:], output=tmp_path / "b"
    )
    assert sam2lite.export(recipe).manifest.verification["loop"]["frames"] == 24


def test_in_int8(weights: Path, tmp_path: Path) -> None:
    recipe = sam2lite.Recipe(
        model=weights, precision="int8", sizes=SIZES[-1:], output=tmp_path / "b", accept_drop=True
    )
    manifest = sam2lite.export(recipe).manifest
    assert manifest.precision == "int8"
    assert manifest.calibration is not None
    assert set(manifest.calibration["int8_layers"]) == {"eye.patches", "brush.stroke"}


def test_without_it_its_bundle_is_refused(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(family, "_registered", {})
    with pytest.raises(BundleError, match="unknown model family 'toy'; known: sam2, sam2lite"):
        sam2lite.open_bundle(bundle.path)
