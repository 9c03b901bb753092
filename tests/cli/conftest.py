from pathlib import Path

import pytest

from sam2lite.models.effort import Effort
from sam2lite.models.networks import Networks
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import build
from tests.conftest import MINI


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small network's checkpoint."""
    folder: Path = tmp_path_factory.mktemp("model") / "mini"
    save_checkpoint(build(MINI, 3), folder)
    return str(folder)


@pytest.fixture
def one_scored_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a lower precision costs is measured on one clip, where the figure does not matter."""
    monkeypatch.setattr(Networks, "effort", lambda host, size: Effort(scored_clips=1))
