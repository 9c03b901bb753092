"""`sam2lite-export coreml` on a small network, and what other commands do with its bundle."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from sam2lite.cli.bundle.bench import app as bench_app
from sam2lite.cli.export.main import app
from sam2lite.cli.main import app as main_app
from sam2lite.errors import ArgumentError, SessionError, UnknownNameError
from sam2lite.mil import coremltools_import
from sam2lite.runtimes.bundle import open_bundle

runner = CliRunner()


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def quick(model: str, output: Path, *more: str) -> list[str]:
    footage = ["--calib-frames", "8", "--rungs", "240"]
    return ["coreml", "--model", model, "-o", str(output), *footage, *more]


@pytest.fixture(scope="module")
def exported(model: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bundle for iOS 17 in FP16, and what was said about it."""
    output = tmp_path_factory.mktemp("ios") / "b"
    result = runner.invoke(app, quick(model, output))
    assert result.exit_code == 0, result.output
    return output, result.stdout


def test_an_export_says_what_it_made(exported: tuple[Path, str]) -> None:
    output, said = exported
    assert "graphs/image_encoder_240.mlpackage: " in said
    assert "graphs/memory_select.mlpackage: 0.32 MB, 1 functions, equal to PyTorch" in said
    agreed = re.search(r"simulated over 24 frames: mean IoU with PyTorch ([01]\.\d+)", said)
    assert agreed is not None
    assert float(agreed[1]) >= 0.99
    manifest = open_bundle(str(output)).manifest
    assert (manifest.target["id"], manifest.precision, manifest.opset) == ("ios17", "fp16", 7)
    assert manifest.tools["coremltools"] == "9.0"
    worst = [
        ratio
        for report in manifest.verification["graphs"].values()
        for ratio in report["sqnr_db"].values()
        if ratio is not None
    ]
    assert min(worst) >= 52.0  # random weights


def test_inspect_says_that_it_was_simulated(exported: tuple[Path, str]) -> None:
    shown = runner.invoke(main_app, ["inspect", str(exported[0])])
    assert shown.exit_code == 0, shown.output
    assert "simulation: MIL operators computed by torch" in shown.stdout
    assert "not on the Neural Engine" in shown.stdout


def test_verify_simulates_and_says_so(exported: tuple[Path, str], model: str) -> None:
    result = runner.invoke(main_app, ["verify", str(exported[0]), "--model", model, "--json"])
    assert result.exit_code == 0, result.output
    assert "there is no Core ML here" in result.stderr
    report = json.loads(result.stdout)
    assert report["graphs"] == "4 open and run by a simulation of Core ML"
    assert report["loop"]["mean_iou"] >= 0.99


@pytest.fixture
def video(tmp_path: Path) -> str:
    folder = tmp_path / "frames"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    for index in range(2):
        cv2.imwrite(str(folder / f"{index:05d}.png"), np.roll(noise, index, axis=1))
    return str(folder)


def tracked(bundle: Path, video: str, output: Path, *more: str) -> list[str]:
    args = ["track", "--bundle", str(bundle), "--video", video, "--point", "60,40"]
    return [*args, "-o", str(output), "--no-overlay", *more]


def test_track_simulates_and_says_so(
    exported: tuple[Path, str], video: str, tmp_path: Path
) -> None:
    command = tracked(exported[0], video, tmp_path / "out", "--backend", "coreml")
    result = runner.invoke(main_app, command)
    assert result.exit_code == 0, result.output
    assert "there is no Core ML here" in result.stderr
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["simulated"] is True
    assert len(written["frames"]) == 2
    assert "frames/s in all, simulated" in result.stdout
    assert " ms" not in result.stdout


def test_compare_simulates_and_gives_no_times(exported: tuple[Path, str], video: str) -> None:
    bundle = str(exported[0])
    command = ["compare", bundle, bundle, "--video", video, "--point", "60,40"]
    shown = runner.invoke(main_app, command)
    assert shown.exit_code == 0, shown.output
    assert "rung 240, simulated" in shown.stdout
    told = json.loads(runner.invoke(main_app, [*command, "--json"]).stdout)
    assert [entry["mean_ms"] for entry in told["bundles"]] == [None, None]
    assert told["objects"]["1"]["mean_iou"] == 1.0


def test_times_that_mean_nothing_are_not_given(
    exported: tuple[Path, str], video: str, tmp_path: Path
) -> None:
    timed = tracked(exported[0], video, tmp_path / "out", "--budget-ms", "50")
    for command, args in (
        (bench_app, ["--bundle", str(exported[0])]),
        (main_app, timed),
        (main_app, ["budget", "--bundle", str(exported[0])]),
    ):
        result = runner.invoke(command, args)
        assert isinstance(result.exception, SessionError), result.output
        assert "cannot be timed: Core ML is a part of macOS" in str(result.exception)


@pytest.mark.slow
def test_json_has_every_package(model: str, tmp_path: Path) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b", "--int8", "--json", "--force"))
    assert result.exit_code == 0, result.output
    packages = json.loads(result.stdout)["packages"]
    assert packages["graphs/image_encoder_240.mlpackage"]["graphs"] == ["image_encoder@240"]
    assert {entry["megabytes"] > 0 for entry in packages.values()} == {True}


def test_dry_run_writes_nothing(model: str, tmp_path: Path) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b", "--int8", "--dry-run", "--json"))
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert (plan["target"], plan["precision"]) == ("ios17", "int8")
    assert plan["graphs"][-1] == "memory_select"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        (["--precision", "int4"], ArgumentError, "'ios17' does not serve int4"),
        (["--precision", "w8a8", "--target", "ios16"], ArgumentError, "from iOS 17 on"),
        (["--precision", "int3"], UnknownNameError, "palette6"),
        (["--precision", "w8a8", "--int8"], ArgumentError, "choose one precision"),
        (["--target", "arm64"], ArgumentError, "sam2lite-export ort --target arm64"),
        (["--target", "ios15"], UnknownNameError, "did you mean ios1"),
        (["--rungs", "241"], UnknownNameError, "241"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(
    model: str, tmp_path: Path, more: list[str], error: type, said: str
) -> None:
    result = runner.invoke(app, [*quick(model, tmp_path / "b"), *more])
    assert type(result.exception) is error
    assert said in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_an_untested_coremltools_is_refused_before_any_work(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coremltools_import, "VERSION", "8.9")
    coremltools_import.import_coremltools.cache_clear()
    result = runner.invoke(app, quick(model, tmp_path / "b"))
    assert isinstance(result.exception, SessionError)
    assert "pip install 'coremltools==8.9'" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tiny_for_every_ios_in_what_is_offered(tmp_path: Path) -> None:
    sizes = {}
    for target in ("ios16", "ios17", "ios18"):
        for precision in ("fp16", "int8"):
            output = tmp_path / f"{target}-{precision}"
            footage = ["--calib-frames", "16", "--rungs", "240,480"]
            args = ["coreml", "--target", target, "--precision", precision, "-o", str(output)]
            result = runner.invoke(app, [*args, *footage])
            assert result.exit_code == 0, result.output
            sizes[target, precision] = open_bundle(str(output)).manifest.megabytes
            shutil.rmtree(output)
        assert sizes[target, "int8"] <= 0.6 * sizes[target, "fp16"]
    assert sizes["ios18", "fp16"] < 0.7 * sizes["ios17", "fp16"]
