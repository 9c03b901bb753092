from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from sam2lite.models.sam2.network import Sam2
from tests.oracles.clip import random_clip
from tests.oracles.hugging_face import (
    HuggingFaceModel,
    MetaLikeModel,
    hugging_face_model,
    run_hugging_face,
)
from tests.oracles.scenarios import SIDE, Record, Scenario
from tests.oracles.small_network import SEED, small_network

Trace = Callable[..., list[Record]]


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="session")
def oracle_network() -> Sam2:
    return small_network()


@pytest.fixture(scope="session")
def oracle_clip() -> list[Tensor]:
    """24 frames on which the network's objects come and go."""
    return random_clip(SEED)


@pytest.fixture(scope="session")
def hugging_face(oracle_network: Sam2, oracle_clip: list[Tensor]) -> Trace:
    """What Hugging Face's loop gives of a scenario, run once for all tests."""
    models: dict[type[HuggingFaceModel], HuggingFaceModel] = {}
    known: dict[tuple[object, ...], list[Record]] = {}

    def trace(
        scenario: Scenario,
        memory_dtype: str = "float32",
        noise: float = 0.0,
        meta_like: bool = False,
    ) -> list[Record]:
        kind = MetaLikeModel if meta_like else HuggingFaceModel
        if kind not in models:
            models[kind] = hugging_face_model(oracle_network, SIDE, kind)
        key = (scenario.name, scenario.streaming, memory_dtype, noise, kind)
        if key not in known:
            known[key] = run_hugging_face(models[kind], oracle_clip, scenario, memory_dtype, noise)
        return known[key]

    return trace
