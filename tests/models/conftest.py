import copy
import dataclasses
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from sam2lite.contracts.loop import LABEL_PAD, LABEL_POSITIVE, MASKED_BIAS, PROMPT_SLOTS
from sam2lite.models.sam2lite.config import TINY, Sam2LiteConfig, StageConfig
from sam2lite.models.sam2lite.network import Sam2Lite, build

Frames = Callable[..., Tensor]
Click = Callable[..., tuple[Tensor, Tensor, Tensor]]


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="session")
def tiny() -> Sam2Lite:
    return build(TINY)


@pytest.fixture(scope="session")
def visible(tiny: Sam2Lite) -> Sam2Lite:
    """A network to which every object is present."""
    return scored(tiny, 50.0)


@pytest.fixture(scope="session")
def blind(tiny: Sam2Lite) -> Sam2Lite:
    """A network to which no object is present."""
    return scored(tiny, -50.0)


@torch.no_grad()
def scored(model: Sam2Lite, score: float) -> Sam2Lite:
    model = copy.deepcopy(model)
    model.mask_decoder.object_score.last.weight.zero_()
    model.mask_decoder.object_score.last.bias.fill_(score)
    return model


@pytest.fixture(scope="session")
@torch.no_grad()
def worn(tiny: Sam2Lite) -> Sam2Lite:
    """A network whose batch norms hold statistics, as after training."""
    model = copy.deepcopy(tiny)
    generator = torch.Generator().manual_seed(1)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_(0.0, 0.3, generator=generator)
            norm.running_var.uniform_(0.5, 1.5, generator=generator)
            norm.weight.uniform_(0.5, 1.5, generator=generator)
            norm.bias.normal_(0.0, 0.3, generator=generator)
    return model


@pytest.fixture(scope="session")
def nano_config() -> Sam2LiteConfig:
    """A network of a few kilobytes, for tests that write files."""
    return dataclasses.replace(
        TINY,
        name="nano",
        stages=(StageConfig(8, "c"), StageConfig(8, "c"), StageConfig(8, "c"), StageConfig(8, "a")),
        embed_dim=8,
        skip_dims=(4, 4),
        attention_dim=8,
        mix_dim=8,
        query_mlp_dim=8,
        memory_dim=8,
        decoder_layers=1,
    )


@pytest.fixture(scope="session")
def frame() -> Frames:
    """Give the n-th frame of a seeded noise video."""

    def make(index: int = 0, rung: int = 240) -> Tensor:
        generator = torch.Generator().manual_seed(index)
        return torch.randint(0, 256, (1, 3, rung, rung), generator=generator, dtype=torch.uint8)

    return make


@pytest.fixture(scope="session")
def click() -> Click:
    """Give the decoder's slots of one click, or of none."""

    def make(*xy_norm: float) -> tuple[Tensor, Tensor, Tensor]:
        xy_norm_bpc = torch.full((1, PROMPT_SLOTS, 2), 0.5)
        label_bp = torch.full((1, PROMPT_SLOTS), LABEL_PAD, dtype=torch.int32)
        bias_b11p = torch.full((1, 1, 1, PROMPT_SLOTS), MASKED_BIAS)
        if xy_norm:
            xy_norm_bpc[0, 0] = torch.tensor(xy_norm)
            label_bp[0, 0] = LABEL_POSITIVE
            bias_b11p[..., 0] = 0.0
        return xy_norm_bpc, label_bp, bias_b11p

    return make
