"""Bundles with a bound, in INT8: written, opened, tracked with, and refused."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from sam2lite.calibration.calibrate import Calibration, CalibrationSettings, calibrate
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import CalibrationError, VerificationError
from sam2lite.exporter.backends import ExportRequest
from sam2lite.exporter.ort.backend import EXPORTER
from sam2lite.exporter.precision import bounded
from sam2lite.exporter.precision.accuracy import Accuracy, AccuracyDrop
from sam2lite.exporter.precision.schemes import Making
from sam2lite.exporter.precision.search import Outcome
from sam2lite.exporter.progress import SILENT
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import build
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.targets.registry import get_target
from tests.conftest import MINI

RUNGS = (240, 288)
PLAINLY = Recipe()


@pytest.fixture(scope="module")
def small() -> LoadedModel:
    model = build(MINI, seed=3)
    return HOST.untrained(model, MINI)


@pytest.fixture(scope="module")
def calibration(small: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    return calibrate(
        small, RUNGS, CalibrationSettings(frames=8), tmp_path_factory.mktemp("recordings")
    )


def written(
    model: LoadedModel,
    target: str,
    output: Path,
    calibration: Calibration,
    rungs: tuple[int, ...],
    recipe: Recipe = PLAINLY,
) -> Manifest:
    """Export in INT8 with what was observed already."""
    profile = get_target(target)
    request = ExportRequest(model, profile, "int8", rungs, output, recipe, SILENT)
    ranges = calibration.ranges
    observed = (calibration.recording, ranges.provenance, ranges)
    return EXPORTER.make(request, Making(model, profile, *observed, tuple(recipe.keep_float)))


class Stub:
    """Scores that need no clips; what was asked for is counted."""

    scored = 0
    after = Accuracy(59.5, 70.0)

    def __init__(self, clips: int, rung: int) -> None:
        self.clips, self.rung = clips, rung

    def score(self, bundle: Path) -> Accuracy:
        Stub.scored += 1
        precision = open_bundle(str(bundle)).manifest.precision
        return Stub.after if precision == "int8" else Accuracy(60.0, 70.0)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Stub]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(bounded, "AccuracyTest", Stub)
    monkeypatch.setattr(Stub, "scored", 0)
    return Stub


def test_a_bundle_in_int8(
    small: LoadedModel, calibration: Calibration, stub: type[Stub], tmp_path: Path
) -> None:
    recipe = Recipe(keep_float=["mask_decoder.iou.*"])
    manifest = written(small, "x86-64-vnni", tmp_path / "b", calibration, RUNGS, recipe)
    assert stub.scored == 2
    bundle = open_bundle(str(tmp_path / "b"))
    assert bundle.manifest.graphs == manifest.graphs
    assert manifest.precision == "int8"
    assert manifest.graphs["memory_select"].precision == "fp32"
    assert manifest.verification["accuracy"]["drop"] == 0.5
    assert manifest.calibration is not None
    kept = manifest.calibration["float_layers"]
    assert set(kept) == {"mask_decoder.iou.hidden.0", "mask_decoder.iou.last"}
    for rung in RUNGS:
        ratios = manifest.verification["graphs"][f"mask_decoder@{rung}"]["sqnr_db"]
        assert ratios["mask_logits_bmhw"] > 10.0
        graph = onnx.load(tmp_path / "b" / "graphs" / f"image_encoder@{rung}.onnx")
        assert any(node.op_type == "QuantizeLinear" for node in graph.graph.node)
    frame = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    with VideoSegmenter(bundle) as segmenter:
        segmenter.prompt(frame, 1, points=[(40, 40)])
        assert segmenter.track(frame).masks[1].shape == (90, 160)


def test_a_search_is_found_again(
    small: LoadedModel, calibration: Calibration, stub: type[Stub], tmp_path: Path
) -> None:
    for name in ("a", "b"):
        written(small, "arm64", tmp_path / name, calibration, RUNGS[:1])
    assert stub.scored == 2
    left, right = (json.loads((tmp_path / n / "manifest.json").read_text()) for n in ("a", "b"))
    assert left["verification"]["accuracy"] == right["verification"]["accuracy"]
    assert left["files"] == right["files"]


def test_a_missed_accuracy_writes_nothing(
    small: LoadedModel,
    calibration: Calibration,
    stub: type[Stub],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stub, "after", Accuracy(55.0, 69.0))
    drop = AccuracyDrop(Accuracy(60.0, 70.0), stub.after, 8, 288)
    monkeypatch.setattr(bounded, "search", lambda plan, *_: Outcome(plan, drop, 5))
    arguments = (small, "x86-64", tmp_path / "b", calibration, RUNGS[:1])
    with pytest.raises(VerificationError, match=r"loses 5\.00 .* 4\.00 more than --max-drop"):
        written(*arguments)
    assert not (tmp_path / "b").exists()
    manifest = written(*arguments, Recipe(accept_drop=True))
    assert manifest.verification["accuracy"]["drop"] == 5.0


def test_ranges_of_another_model_are_refused(calibration: Calibration, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="calibrate this model"):
        written(load_model("tiny", seed=0), "x86-64", tmp_path / "b", calibration, RUNGS)


def test_too_little_footage_is_refused(small: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"6 frames are too few .* --calib-frames 8 or more"):
        calibrate(small, RUNGS, CalibrationSettings(frames=6), tmp_path)
    with pytest.raises(CalibrationError, match="--calib-frames 18 or more"):
        calibrate(small, (240, 288, 336), CalibrationSettings(frames=8), tmp_path)
