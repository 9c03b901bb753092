import pytest

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.synthetic import SyntheticFootage
from sam2lite.runtimes.prompts import Prompt


@pytest.fixture(scope="session")
def small_footage() -> SyntheticFootage:
    return SyntheticFootage(objects=3, width=160, height=120, frames=6)


@pytest.fixture
def feed(small_footage: SyntheticFootage) -> FrameFeed:
    return FrameFeed(small_footage)


@pytest.fixture
def prompts(small_footage: SyntheticFootage) -> dict[int, Prompt]:
    """Clicks on three objects."""
    return {key: Prompt([xy]) for key, xy in enumerate(small_footage.clicks(3), start=1)}
