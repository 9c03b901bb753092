from pathlib import Path

import pytest

from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from tests.conftest import MINI


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small network's checkpoint."""
    folder: Path = tmp_path_factory.mktemp("model") / "mini"
    save_checkpoint(build(MINI, 3), folder)
    return str(folder)
