"""A small network of EfficientTAM, and the file in which people have it."""

from pathlib import Path

import pytest
import torch

from sam2lite.models.efficienttam.network import EfficientTam, build
from tests.oracles.efficienttam_networks import PLAIN


@pytest.fixture(scope="session")
def network() -> EfficientTam:
    return build(PLAIN, seed=3)


@pytest.fixture
def checkpoint(network: EfficientTam, tmp_path: Path) -> Path:
    """A file as it is published, under a name that says nothing."""
    torch.save({"model": dict(network.state_dict())}, tmp_path / "weights.pt")
    return tmp_path / "weights.pt"
