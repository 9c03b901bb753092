"""`--variant`, of all commands that take a checkpoint whose weights do not show it."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from sam2lite.cli.export.main import app as export
from sam2lite.cli.main import app as main
from sam2lite.errors import ArgumentError
from sam2lite.models.efficienttam.network import build
from tests.oracles.efficienttam_networks import KEY_POOLED, LOGIT_POOLED, PLAIN

runner = CliRunner()
EXPORTS = [("ort",), ("trt", "--target", "jetson-orin-nano"), ("coreml",), ("onnx",)]
NETWORK = [
    ("models",),
    ("calibrate", "--rungs", "160", "-o", "nowhere/ranges.json", "--model"),
    ("sensitivity", "--model"),
    ("eval", "--clips", "1", "--model"),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("efficienttam") / "weights.pt"
    torch.save({"model": dict(build(PLAIN, seed=3).state_dict())}, path)
    return str(path)


@pytest.mark.parametrize("command", EXPORTS, ids=lambda command: command[0])
def test_exports(command: tuple[str, ...], checkpoint: str, tmp_path: Path) -> None:
    arguments = [*command, "--model", checkpoint, "-o", str(tmp_path / "b"), "--dry-run"]
    asked = runner.invoke(export, arguments)
    assert isinstance(asked.exception, ArgumentError)
    assert f"say it with --variant, in Python with `variant`: {PLAIN.name} (" in str(
        asked.exception
    )


def test_an_export_that_is_told(checkpoint: str, tmp_path: Path) -> None:
    arguments = ["ort", "--model", checkpoint, "-o", str(tmp_path / "b"), "--dry-run"]
    told = runner.invoke(export, [*arguments, "--variant", LOGIT_POOLED.name])
    assert told.exit_code == 0, told.output
    assert "memory_attention_1@1024" in told.stdout


@pytest.mark.parametrize("command", NETWORK, ids=lambda command: command[0])
def test_other_commands(command: tuple[str, ...], checkpoint: str) -> None:
    asked = runner.invoke(main, [*command, checkpoint])
    assert isinstance(asked.exception, ArgumentError)
    assert "--variant" in str(asked.exception)
    refused = runner.invoke(main, [*command, "tiny", "--variant", PLAIN.name])
    assert isinstance(refused.exception, ArgumentError)
    assert f"'{PLAIN.name}' is named, and SAM2-Lite has no variants" in str(refused.exception)


def test_models_says_what_is_in_a_file(checkpoint: str) -> None:
    arguments = ["models", checkpoint, "--variant", KEY_POOLED.name, "--json"]
    result = runner.invoke(main, arguments)
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout).values()
    assert (row["family"], row["rungs"]) == ("efficienttam", [1024])


def test_a_bundle_has_no_variant_to_be_told() -> None:
    result = runner.invoke(main, ["eval", "--bundle", "b", "--variant", PLAIN.name])
    assert isinstance(result.exception, ArgumentError)
    assert "a bundle says what it is" in str(result.exception)
