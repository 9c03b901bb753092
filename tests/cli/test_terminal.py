"""What strangers wrote is shown, and does nothing to the terminal that shows it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sam2lite.cli.main import app
from sam2lite.device.app import main as device_main
from sam2lite.errors import BundleError, Sam2LiteError

runner = CliRunner(env={"COLUMNS": "200"})
EVIL = "\x1b[2J\x07\x9b31m\u202e\x7f[red]:boom:"
SHOWN = r"\x1b[2J\x07\x9b31m\u202e\x7f[red]:boom:"


@pytest.fixture
def bundle(mini_bundle: Path, tmp_path: Path) -> Path:
    path = Path(shutil.copytree(mini_bundle, tmp_path / "b"))
    data: dict[str, Any] = json.loads((path / "manifest.json").read_text())
    data["memory"][EVIL] = [EVIL]
    data["calibration"] = {
        "observer": "mse",
        "frames": 1,
        "source": EVIL,
        "int8_layers": [],
        "float_layers": {EVIL: EVIL},
    }
    data["verification"]["unread"] = {EVIL: EVIL}
    (path / "manifest.json").write_text(json.dumps(data))
    return path


def raw(text: str) -> set[str]:
    return {letter for letter in text if not letter.isprintable() and letter != "\n"}


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_inspect(bundle: Path, options: list[str]) -> None:
    result = runner.invoke(app, ["inspect", str(bundle), *options])
    assert result.exit_code == 0, result.output
    assert not raw(result.output)
    if options:
        assert json.loads(result.output)["memory"][EVIL] == [EVIL]
    else:
        assert SHOWN in result.output


def test_inspect_does_without_what_was_not_measured(bundle: Path) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    data.update(verification={}, calibration={}, target={}, tools={}, memory={})
    (bundle / "manifest.json").write_text(json.dumps(data))
    result = runner.invoke(app, ["inspect", str(bundle)])
    assert result.exit_code == 0, result.output
    assert "not measured" in result.output


def test_every_error_is_one_that_can_be_shown() -> None:
    error = BundleError(f"first {EVIL}\nsecond")
    assert str(error) == f"first {SHOWN}\nsecond"
    assert str(Sam2LiteError("plain \u00e9 text")) == "plain \u00e9 text"


def test_names_in_errors(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    data["files"][EVIL] = data["files"]["graphs/weights.bin"]
    (bundle / "manifest.json").write_text(json.dumps(data))
    assert device_main(["bench", "--bundle", str(bundle)]) == 1
    assert not raw(capsys.readouterr().err)


def test_what_would_take_minutes_to_draw_is_cut(bundle: Path) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    data["memory"]["x"] = "ab " * 20_000
    data["memory"].update({f"m{number}": 1 for number in range(1000)})
    data["calibration"]["float_layers"] = {f"l{number}": "why" for number in range(1000)}
    graph = data["graphs"]["memory_select"]
    for number in range(30):
        data["graphs"][f"g{number}"] = {**graph, "name": f"g{number}"}
    (bundle / "manifest.json").write_text(json.dumps(data))
    result = runner.invoke(app, ["inspect", str(bundle)])
    assert result.exit_code == 0, result.output
    assert len(result.output) < 200_000
    assert "..." in result.output
