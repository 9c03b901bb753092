"""A batch that many training tests need."""

import pytest

from sam2lite.training.batches import Batch, BatchShape, make_batch


@pytest.fixture(scope="session")
def clip_batch() -> Batch:
    """Two clips of three frames at 96 px."""
    return make_batch((5,), BatchShape(side=96, frames=3, clips=2, targets=2))
