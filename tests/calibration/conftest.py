"""A small network with worn batch norms, recorded once over a generated clip."""

import pytest
import torch
from torch import nn

from sam2lite.calibration.footage import CalibrationClip, calibration_clips
from sam2lite.calibration.recorder import Recording, record
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import build
from tests.conftest import MINI

RUNGS = (240, 288)


@pytest.fixture(scope="session")
def small() -> LoadedModel:
    """A network whose batch norms hold statistics, as after training."""
    model = build(MINI, seed=3)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None
                norm.running_mean.normal_(0.0, 0.3, generator=generator)
    return HOST.untrained(model, MINI)


@pytest.fixture(scope="session")
def clips() -> list[CalibrationClip]:
    """One generated clip of 8 frames."""
    return calibration_clips(None, 8, seed=0)


@pytest.fixture(scope="session")
def recording(
    small: LoadedModel, clips: list[CalibrationClip], tmp_path_factory: pytest.TempPathFactory
) -> Recording:
    """What the graphs of `small` are fed on `clips`."""
    return record(small, clips, RUNGS, tmp_path_factory.mktemp("recordings"))
