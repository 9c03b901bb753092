import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sam2lite.cli.export.main import app
from sam2lite.cli.reports.preflight import describe, tensorrt_target
from sam2lite.errors import ArgumentError, OutputError, UnknownNameError, VerificationError
from sam2lite.exporter.tensorrt.preflight import Finding
from sam2lite.runtimes.bundle import open_bundle, read_manifest
from tests.interrupts import interruptible

runner = CliRunner()


def test_ort_prints_where_how_long_how_large_how_far(tmp_path: Path) -> None:
    result = runner.invoke(app, ["ort", "--rungs", "240", "-o", str(tmp_path / "b")])
    assert result.exit_code == 0, result.output
    last = result.stdout.splitlines()[-1]
    assert last.startswith(f"{tmp_path / 'b'}: ")
    assert " MB, worst relative error of a graph in float " in last
    assert "untrained" not in result.stderr
    manifest = open_bundle(str(tmp_path / "b")).manifest
    assert manifest.rungs == (240,)
    assert manifest.model.trained


@pytest.mark.parametrize(
    ("options", "step"),
    [
        ([], "next: sam2lite track --bundle "),
        (["--target", "rpi5"], "to a machine with sam2lite and run there: sam2lite track"),
        (["--target", "rpi5", "--device-app"], "to the board and run there: python3 device.pyz"),
    ],
)
def test_the_next_step_is_of_where_the_bundle_runs(
    options: list[str], step: str, model: str, tmp_path: Path
) -> None:
    arguments = ["ort", "--model", model, "--rungs", "240", "-o", str(tmp_path / "b")]
    result = runner.invoke(app, [*arguments, *options])
    assert result.exit_code == 0, result.output
    (told,) = (line for line in result.stdout.splitlines() if line.startswith("next: "))
    assert step in told


def test_untrained_networks_are_called_so(tmp_path: Path) -> None:
    arguments = ["ort", "--model", "small", "-o", str(tmp_path / "b"), "--dry-run"]
    assert "small is untrained" in runner.invoke(app, arguments).stderr


def test_onnx_as_json(model: str, tmp_path: Path) -> None:
    out = tmp_path / "o"
    arguments = ["onnx", "--opset", "18", "--rungs", "240", "-o", str(out), "--json"]
    result = runner.invoke(app, [*arguments, "--model", model])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["worst_relative_error"] <= 1e-5
    assert len(data["graphs"]) == 4


@pytest.mark.parametrize("backend", ["ort", "onnx"])
def test_dry_run_writes_nothing(backend: str, tmp_path: Path) -> None:
    arguments = [backend, "-o", str(tmp_path / "b"), "--dry-run", "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert len(told["graphs"]) == 19
    assert 5 < told["estimate"]["seconds"] < 60
    assert 20 < told["estimate"]["megabytes"] < 30
    assert 500 < told["estimate"]["memory_mb"] < 2000
    assert list(tmp_path.iterdir()) == []


def test_an_estimate_follows_precision_and_sizes(model: str, tmp_path: Path) -> None:
    arguments = ["ort", "--model", model, "-o", str(tmp_path / "b"), "--dry-run", "--json"]
    more: tuple[list[str], ...] = (["--rungs", "240"], [], ["--int8"])
    told = [json.loads(runner.invoke(app, [*arguments, *each]).stdout) for each in more]
    small, whole, int8 = (each["estimate"] for each in told)
    assert small["seconds"] <= whole["seconds"] <= int8["seconds"]
    assert small["megabytes"] < whole["megabytes"] > int8["megabytes"]
    shown = runner.invoke(app, arguments[:-1]).stdout
    assert "estimate: " in shown
    assert " s on two cores, within a factor of two or three; " in shown


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["ort", "--target", "abacus"], UnknownNameError, "unknown target 'abacus'; known: "),
        (["ort", "--model", "huge"], UnknownNameError, "unknown model 'huge'; known: tiny"),
        (["ort", "--rungs", "250"], UnknownNameError, "unknown rung 250; known: 240"),
        (["ort", "--rungs", "big"], ArgumentError, "--rungs is 'big'"),
        (["ort", "--target", "jetson-nano"], ArgumentError, "is for TensorRT"),
        (["ort", "--target", "jetson-nan"], UnknownNameError, "known: host, x86-64-vnni"),
        (["onnx", "--opset", "9"], ArgumentError, "opset 9 is not supported"),
        (["onnx", "--check-for", "arm64"], ArgumentError, "'arm64', which runs ONNX Runtime"),
        (["onnx", "--check-for", "jetson"], UnknownNameError, "did you mean jetson-"),
        (["ort", "--opset", "21"], ArgumentError, "opset 21 is not supported"),
        (["ort", "-o", "/proc/nowhere/b"], OutputError, "cannot write"),
    ],
)
def test_bad_arguments(
    arguments: list[str], error: type[Exception], message: str, tmp_path: Path
) -> None:
    if "-o" not in arguments:
        arguments = [*arguments, "-o", str(tmp_path / "b")]
    result = runner.invoke(app, arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["jetson-nano", "jetson-orin-nano"])
def test_our_own_graphs_pass_what_they_are_checked_for(
    target: str, model: str, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    arguments = ["onnx", "--rungs", "240", "--check-for", target, "-o", str(out)]
    result = runner.invoke(app, [*arguments, "--model", model])
    assert result.exit_code == 0, result.output
    assert "by the tables, its parser takes all 4 graphs" in result.stdout
    if target == "jetson-nano":
        assert result.stdout.startswith("rewritten for TensorRT 8.2.1: float_image (image_bchw")
    # The manifest says what the graphs take now.
    assert read_manifest(str(out))[0].graphs["image_encoder@240"].spec.inputs[0].dtype == (
        "float32" if target == "jetson-nano" else "uint8"
    )


def test_graphs_are_written_and_what_jetpack_4_refuses_is_said(model: str, tmp_path: Path) -> None:
    out = tmp_path / "o"
    arguments = ["onnx", "--rungs", "240", "--check-for", "jetson-nano", "-o", str(out)]
    result = runner.invoke(app, [*arguments, "--model", model, "--skip-pass", "float_image"])
    assert isinstance(result.exception, VerificationError)
    assert "TensorRT 8.2.1 of jetson-nano would not take 1 of 4 graphs" in str(result.exception)
    lines = result.stdout.splitlines()
    assert lines[0] == "TensorRT 8.2.1 (jetson-nano) would not take:"
    assert lines[1].startswith("  UINT8 (image_encoder@240 image_bchw): ")
    assert "TensorRT 8.5 takes it" in lines[1]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["opset"] == 13  # the target's, as none was asked for


def test_a_finding_of_many_nodes_is_one_line() -> None:
    finding = Finding("operator", "a", "Unique", "the parser does not take it", None, "do without")
    found = {"one": [finding, replace(finding, where="b")], "two": [replace(finding, where="c")]}
    lines = describe(found, tensorrt_target("jetson-nano"))
    assert lines == [
        "TensorRT 8.2.1 (jetson-nano) would not take:",
        "  Unique (one a and 2 more): the parser does not take it, also in newer versions. "
        "Remedy: do without",
    ]


def test_findings_as_json(model: str, tmp_path: Path) -> None:
    arguments = ["onnx", "--rungs", "240", "--check-for", "jetson-xavier-nx", "--opset", "17"]
    arguments += ["--skip-pass", "layer_norm", "--skip-pass", "gelu", "-o", str(tmp_path / "o")]
    result = runner.invoke(app, [*arguments, "--model", model, "--json"])
    assert isinstance(result.exception, VerificationError)
    findings = json.loads(result.stdout)["findings"]
    counts = {key: len(found) for key, found in findings.items()}
    assert counts == {
        "image_encoder@240": 3,
        "mask_decoder@240": 14,
        "memory_encoder@240": 1,
        "memory_select": 0,
    }
    assert findings["memory_encoder@240"][0]["first_version"] == "8.6"


def test_check_for_is_in_the_plan(tmp_path: Path) -> None:
    arguments = ["onnx", "--check-for", "jetson-nano", "-o", str(tmp_path / "o"), "--dry-run"]
    result = runner.invoke(app, arguments)
    assert "opset: 13" in result.stdout
    assert "check_for: jetson-nano" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ort", "--target", "jetson-nano"], 2, "error: target 'jetson-nano' is for TensorRT"),
        (["ort", "--target", "jetson-nano", "--int8"], 2, "--target arm64"),
    ],
)
def test_a_jetson_is_refused_in_one_sentence(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    program = [sys.executable, "-c", "from sam2lite.cli.export.main import run; run()"]
    command = [*program, *arguments, "-o", str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_mistake_is_one_sentence_and_an_exit_code(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "sam2lite-export"
    command = [str(program), "ort", "--target", "abacus", "-o", str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown target 'abacus'")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "sam2lite-export"
    command: list[str | Path] = [program, "ort", "-o", tmp_path / "b"]
    with interruptible(command, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".b.partial-*/graphs/*.onnx")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted: nothing was left half-written" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
