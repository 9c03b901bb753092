"""A bundle with `device.pyz`, for the oldest ONNX Runtime that can run it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sam2lite.cli.export.main import app


@pytest.fixture(scope="session")
def device_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "device"
    arguments = ["ort", "--rungs", "240", "--opset", "15", "--device-app", "-o", str(path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return path
