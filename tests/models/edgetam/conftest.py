"""A small network of EdgeTAM, and what Hugging Face's makes of it where that can be imported."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor

from sam2lite.models.edgetam.network import EdgeTam
from tests.oracles.clip import random_clip
from tests.oracles.edge_networks import CLIP_SEED, EDGE_SIDE, small_edge_network


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="session")
def network() -> EdgeTam:
    return small_edge_network()


@pytest.fixture(scope="session")
def clip() -> list[Tensor]:
    """24 frames on which the network's objects come and go."""
    return random_clip(CLIP_SEED, EDGE_SIDE)


@pytest.fixture(scope="session")
def published() -> ModuleType:
    """`tests.oracles.edge_hugging_face`."""
    for name in ("timm", "torchvision"):
        pytest.importorskip(name, reason=f"Hugging Face's EdgeTAM needs {name}")
    from tests.oracles import edge_hugging_face

    return edge_hugging_face
