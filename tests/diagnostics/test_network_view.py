"""Maps, blocks and position tables of networks in PyTorch, of a family whose blocks give tokens."""

import numpy as np
import pytest
import torch

from sam2lite.diagnostics.network_view import block_names, network_view
from sam2lite.diagnostics.positions import components, position_tables
from sam2lite.errors import ArgumentError
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.family import HOST
from tests.oracles.telling_networks import small_network

SIZE = 128


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    network = small_network()
    return HOST.untrained(network, network.config)


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)


def test_every_block_is_a_map(model: LoadedModel, frame: np.ndarray) -> None:
    view = network_view(model, frame, SIZE)
    blocks = [name for name in block_names(model) if ".blocks." in name and name in view.maps]
    assert len(blocks) == sum(model.config.to_json()["trunk"]["blocks"])
    sides = [view.maps[name].width for name in blocks]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] == SIZE // 4
    assert {tensor.name for tensor in model.family.image_encoder.outputs} <= view.maps.keys()
    # Hooks are gone, and the network gives what it gave.
    again = network_view(model, frame, SIZE)
    assert all(
        np.array_equal(found.tokens_nc, again.maps[name].tokens_nc)
        for name, found in view.maps.items()
    )


def test_its_position_tables_are_found(model: LoadedModel) -> None:
    tables = position_tables(model)
    assert len(tables) == 2  # a coarse one, and that of windows
    for table in tables.values():
        assert components(table).shape == (table.height, table.width, 3)


def test_a_size_that_it_does_not_take(model: LoadedModel, frame: np.ndarray) -> None:
    with pytest.raises(ArgumentError):
        network_view(model, frame, 100)


def test_numbers_that_are_not_finite(frame: np.ndarray) -> None:
    network = small_network()
    with torch.no_grad():
        next(iter(network.image_encoder.parameters()))[:] = float("nan")
    with pytest.raises(ArgumentError, match="not finite"):
        network_view(HOST.untrained(network, network.config), frame, SIZE)
