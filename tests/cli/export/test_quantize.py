"""`calibrate`, `sensitivity` and `sam2lite-export ort --int8`, on a small network."""

import json
import re
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from sam2lite.calibration.ranges import load_ranges
from sam2lite.cli.export.main import app as export_app
from sam2lite.cli.main import app
from sam2lite.errors import ArgumentError, CalibrationError, OutputError, UnknownNameError
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from sam2lite.runtimes.bundle import open_bundle, read_manifest
from tests.conftest import MINI

runner = CliRunner()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def quick(model: str) -> list[str]:
    return ["--model", model, "--calib-frames", "8"]


def test_calibrate_writes_ranges_for_all_its_rungs(model: str, tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    arguments = ["calibrate", *quick(model), "--rungs", "240,288", "-o", str(path)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "ranges by mse over 8 frames of generated clips at 240, 288 px" in result.stdout
    assert load_ranges(path).provenance.rungs == (240, 288)
    again = runner.invoke(app, arguments)
    assert isinstance(again.exception, OutputError)
    assert runner.invoke(app, [*arguments, "--force", "--json"]).exit_code == 0


def test_sensitivity_lists_graphs_and_layers(model: str, tmp_path: Path) -> None:
    plot = tmp_path / "layers.png"
    arguments = ["sensitivity", *quick(model), "--rung", "240", "--plot", str(plot), "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = {row["name"]: row for row in json.loads(result.stdout)}
    assert 0.0 <= found["image_encoder"]["clip_iou"] <= 1.0
    assert found["image_encoder.stem.1"]["clip_iou"] is None
    assert found["image_encoder.stem.1"]["sqnr_db"] > found["image_encoder"]["sqnr_db"]
    assert cv2.imread(str(plot)) is not None


def test_int8_export_says_what_it_cost(model: str, tmp_path: Path) -> None:
    ranges, out = tmp_path / "ranges.json", tmp_path / "b"
    runner.invoke(app, ["calibrate", *quick(model), "--rungs", "240", "-o", str(ranges)])
    arguments = ["ort", "--int8", *quick(model), "--rungs", "240", "--ranges", str(ranges)]
    arguments += ["--keep-float", "*.iou.*", "--accept-drop", "-o", str(out)]
    result = runner.invoke(export_app, arguments)
    assert result.exit_code == 0, result.output
    assert "INT8 against FP32 on 8 clips at 240 px: J&F" in result.stderr
    assert "mask_decoder.iou.last: --keep-float *.iou.*" in result.stderr
    manifest = open_bundle(str(out)).manifest
    assert manifest.precision == "int8"
    assert set(manifest.verification["accuracy"]) >= {"before", "after", "drop"}
    shown = runner.invoke(app, ["inspect", str(out)]).stdout
    assert "mask_decoder.iou.last: --keep-float *.iou.*" in shown
    assert "FP32 to INT8: J&F" in shown
    assert "calibrated" in shown
    assert " dB" in shown


@pytest.mark.usefixtures("one_scored_clip")
def test_given_ranges_are_not_observed_again(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges = tmp_path / "ranges.json"
    runner.invoke(app, ["calibrate", *quick(model), "--rungs", "240", "-o", str(ranges)])
    monkeypatch.setattr("sam2lite.calibration.calibrate.observe", None)
    arguments = ["ort", "--int8", *quick(model), "--rungs", "240", "--ranges", str(ranges)]
    result = runner.invoke(export_app, [*arguments, "--max-drop", "100", "-o", str(tmp_path / "b")])
    assert result.exit_code == 0, result.output


def test_ranges_of_training_are_taken_over(model: str, tmp_path: Path) -> None:
    learned, path = {"image_encoder.stem.1": (0.0, 1.25)}, tmp_path / "ranges.json"
    save_checkpoint(build(MINI, 3), tmp_path / "trained", activation_ranges=learned)
    arguments = ["calibrate", "--rungs", "240", "--observer", "training", "-o", str(path)]
    result = runner.invoke(app, [*arguments, *quick(str(tmp_path / "trained"))])
    assert result.exit_code == 0, result.output
    found = load_ranges(path)
    assert found.spans["image_encoder.stem.1:input"] == (0.0, 1.25)
    assert "image_encoder.stem.1:output" in found.spans  # training knows inputs alone
    assert found.provenance.observer == "training"
    none = runner.invoke(app, [*arguments, *quick(model), "--force"])
    assert isinstance(none.exception, CalibrationError)
    assert "has no ranges from training" in str(none.exception)


def test_fp16_halves_the_weights(model: str, tmp_path: Path) -> None:
    for precision in ("fp32", "fp16"):
        arguments = ["ort", "--model", model, "--rungs", "240", "--precision", precision]
        result = runner.invoke(export_app, [*arguments, "-o", str(tmp_path / precision)])
        assert result.exit_code == 0, result.output
    wide, half = (
        open_bundle(str(tmp_path / name)).manifest.files["graphs/weights.bin"].bytes
        for name in ("fp32", "fp16")
    )
    assert half < 0.75 * wide


def test_fp16_graphs_say_what_stays_in_fp32(model: str, tmp_path: Path) -> None:
    out = tmp_path / "o"
    arguments = ["onnx", "--fp16", "--model", model, "--calib-frames", "2", "--calib-seed", "1"]
    arguments += ["--rungs", "240", "-o", str(out), "--json"]
    result = runner.invoke(export_app, arguments)
    assert result.exit_code == 0, result.output
    assert re.search(r"FP16: \d+ of \d+ nodes stay in FP32 \(.*\d+ softmax\)", result.stderr)
    assert re.search(r"worst output: \w+ of \w+@240, \d\d\.\d dB of FP32's", result.stderr)
    manifest = read_manifest(str(out))[0]
    assert manifest.precision == "fp16"
    assert manifest.calibration is not None
    assert (manifest.calibration["frames"], manifest.calibration["seed"]) == (2, 1)


def test_fp16_graphs_need_frames_of_every_rung(model: str, tmp_path: Path) -> None:
    arguments = ["onnx", "--fp16", "--model", model, "--calib-frames", "1"]
    arguments += ["--rungs", "240,288", "-o", str(tmp_path / "o")]
    error = runner.invoke(export_app, arguments).exception
    assert isinstance(error, CalibrationError)
    assert "give --calib-frames 2 or more" in str(error)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--int8", "--fp16"], ArgumentError, "fp16 and int8 are asked for"),
        (["--int8", "--precision", "fp32"], ArgumentError, "fp32 and int8 are asked for"),
        (["--precision", "int4"], UnknownNameError, "unknown precision 'int4'"),
        (["--int8", "--observer", "median"], UnknownNameError, "unknown observer 'median'"),
        (["--int8", "--ranges", "none.json"], CalibrationError, "cannot read none.json"),
        (["--int8", "--keep-float", "head*"], UnknownNameError, "unknown layer"),
        (["--int8", "--max-drop", "nan"], ArgumentError, "--max-drop is nan"),
        (["--int8", "--max-drop", "-1"], ArgumentError, "--max-drop is -1"),
        (["--int8", "--calib-frames", "0"], ArgumentError, "choose 1 or more"),
    ],
)
def test_bad_requests_are_refused(
    arguments: list[str], error: type[Exception], message: str, model: str, tmp_path: Path
) -> None:
    out = tmp_path / "b"
    common = ["ort", *quick(model), "--rungs", "240", "-o", str(out)]
    result = runner.invoke(export_app, [*common, *arguments])
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert not out.exists()
