"""A batch that many training tests need, and one thread for all of them."""

from collections.abc import Iterator

import pytest
import torch

from sam2lite.training.batches import Batch, BatchShape, make_batch


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
