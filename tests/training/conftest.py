"""A network of a hundredth of Tiny's size, so that training tests take seconds."""

from collections.abc import Iterator

import pytest
import torch

from sam2lite.models.sam2lite.config import Sam2LiteConfig, StageConfig
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.training.batches import Batch, BatchShape, make_batch

MINI = Sam2LiteConfig(
    name="mini",
    stages=(
        StageConfig(8, "c"),
        StageConfig(16, "c"),
        StageConfig(24, "c"),
        StageConfig(32, "a", mlp_ratio=1),
    ),
    embed_dim=32,
    skip_dims=(8, 8),
    attention_dim=16,
    mix_dim=16,
    query_mlp_dim=32,
    memory_dim=16,
    memory_blocks=1,
    budget=64,
)


@pytest.fixture
def mini() -> Sam2Lite:
    return build(MINI, seed=3)


@pytest.fixture(scope="session")
def clip_batch() -> Batch:
    """Two clips of three frames at 96 px."""
    return make_batch((5,), BatchShape(side=96, frames=3, clips=2, targets=2))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks gain nothing from threads, and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
