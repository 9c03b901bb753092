import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sam2lite.cli.export import app
from sam2lite.errors import ArgumentError, OutputError, UnknownNameError
from sam2lite.runtimes.bundle import open_bundle

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


def test_untrained_networks_are_called_so(tmp_path: Path) -> None:
    arguments = ["ort", "--model", "small", "-o", str(tmp_path / "b"), "--dry-run"]
    assert "small is untrained" in runner.invoke(app, arguments).stderr


def test_onnx_as_json(tmp_path: Path) -> None:
    out = tmp_path / "o"
    arguments = ["onnx", "--opset", "18", "--rungs", "240", "-o", str(out), "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["worst_relative_error"] <= 1e-5
    assert len(data["graphs"]) == 4


@pytest.mark.parametrize("backend", ["ort", "onnx"])
def test_dry_run_writes_nothing(backend: str, tmp_path: Path) -> None:
    arguments = [backend, "-o", str(tmp_path / "b"), "--dry-run", "--json"]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["graphs"]) == 19
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["ort", "--target", "abacus"], UnknownNameError, "unknown target 'abacus'; known: "),
        (["ort", "--model", "huge"], UnknownNameError, "unknown model 'huge'; known: tiny"),
        (["ort", "--rungs", "250"], UnknownNameError, "unknown rung 250; known: 240"),
        (["ort", "--rungs", "big"], ArgumentError, "--rungs is 'big'"),
        (["onnx", "--opset", "9"], ArgumentError, "opset 9 is not supported"),
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


def test_a_mistake_is_one_sentence_and_an_exit_code(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "sam2lite-export"
    command = [program, "ort", "--target", "abacus", "-o", str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown target 'abacus'")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "sam2lite-export"
    process = subprocess.Popen(
        [program, "ort", "-o", str(tmp_path / "b")], stderr=subprocess.PIPE, text=True
    )
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
