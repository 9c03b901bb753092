"""Small networks with other image encoders, and torchvision where it can be imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch

from sam2lite.models.backbones.config import (
    BackboneConfig,
    CasVitConfig,
    MobileNetConfig,
    ResNetConfig,
    TrunkConfig,
    config_of,
)
from sam2lite.models.backbones.network import BackboneNetwork, build

SMALL: dict[str, TrunkConfig] = {
    "resnet": ResNetConfig((16, 24, 32, 48), (2, 1, 1, 2)),
    "mobilenet_v3_large": MobileNetConfig(),
    "casvit": CasVitConfig((16, 24, 32, 48), (2, 1, 2, 1)),
}
_made: dict[str, BackboneNetwork] = {}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def small_config(kind: str) -> BackboneConfig:
    return config_of(SMALL[kind], sizes=(128,))


@pytest.fixture(params=SMALL)
def network(request: pytest.FixtureRequest) -> BackboneNetwork:
    """One of each kind, built once; not to be changed."""
    if request.param not in _made:
        _made[request.param] = build(small_config(request.param), seed=3)
    return _made[request.param]


@pytest.fixture(scope="session")
def torchvision() -> Any:
    """Torchvision's models."""
    # Built for another torch than there is, it declares what of operators it then has not.
    sys.modules.setdefault("torchvision._meta_registrations", ModuleType("unused"))
    return pytest.importorskip(
        "torchvision.models", reason="its ResNet and MobileNet are compared with ours"
    )
