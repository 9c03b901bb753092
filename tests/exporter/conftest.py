"""A network as small as they come, with batch norms that do something, as in a trained one."""

from collections.abc import Callable

import pytest
import torch

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.models.sam2lite.config import Sam2LiteConfig, StageConfig
from sam2lite.models.sam2lite.network import Sam2Lite, build

Specs = Callable[[str, int], GraphSpec]


@pytest.fixture(scope="session")
def network() -> Sam2Lite:
    """Two attention blocks and every kind of convolution, 1 % of Tiny's work."""
    config = Sam2LiteConfig(
        name="nano",
        stages=(
            StageConfig(8, "c"),
            StageConfig(16, "c"),
            StageConfig(32, "c"),
            StageConfig(32, "aa", kv_stride=2),
        ),
        embed_dim=32,
        skip_dims=(8, 8),
        attention_dim=32,
        mix_dim=32,
        query_mlp_dim=32,
        memory_dim=32,
        memory_blocks=1,
        budget=64,
        decoder_layers=2,
    )
    model = build(config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_(0.0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
                module.weight.uniform_(0.3, 1.3, generator=generator)
                module.bias.normal_(0.0, 0.2, generator=generator)
    return model


@pytest.fixture(scope="session")
def fused(network: Sam2Lite) -> Sam2Lite:
    return network.fused()


@pytest.fixture(scope="session")
def bound(network: Sam2Lite) -> Specs:
    """The spec of a graph of the network, bound to a rung."""
    specs = {spec.name: spec for spec in FAMILY.graphs}
    return lambda name, rung: specs[name].bind(network.config.dims(rung))
