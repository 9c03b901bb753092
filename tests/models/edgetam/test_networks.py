"""EdgeTAM's networks: for inference they compute the same with less, and memory fits every size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sam2lite.contracts.families.edgetam import FAMILY, LAYOUT
from sam2lite.errors import ArgumentError
from sam2lite.exporter.onnx.trace import example_inputs
from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.family import HOST
from sam2lite.models.edgetam.network import EdgeTam, build
from sam2lite.models.edgetam.perceiver import token_places
from sam2lite.models.edgetam.repvit import NormedConv, TokenMixer
from sam2lite.models.sam2.memory_attention import rotated
from tests.oracles.clip import random_clip
from tests.oracles.edge_networks import CONFIG

TOLERANCE = 1e-5  # of the largest value


def test_the_published_network_has_the_published_parameters() -> None:
    with torch.device("meta"):
        network = EdgeTam(EdgeTamConfig())
    parts = HOST.parameters(network)
    assert HOST.parameters(network.image_encoder) == {
        "trunk": 4_713_712,
        "neck": 185_344,
        "total": 4_899_056,
    }
    assert parts["memory_attention"] == 2_961_408
    assert parts["spatial_perceiver"] == 230_784
    assert sum(each.numel() for each in network.parameters()) == 13_895_794


def test_the_folded_trunk_is_the_trained_one() -> None:
    network = build(EdgeTamConfig(), seed=2)
    folded = HOST.fused(network)
    image = random_clip(1, 256)[0] / 128.0 - 1.0
    for ours, theirs in zip(
        folded.image_encoder.trunk(image), network.image_encoder.trunk(image), strict=True
    ):
        assert float((ours - theirs).abs().max() / theirs.abs().max()) <= TOLERANCE
    left = [m for m in folded.modules() if isinstance(m, NormedConv | TokenMixer)]
    assert not left
    assert any(isinstance(module, TokenMixer) for module in network.modules())


@pytest.mark.parametrize("graph", [graph.name for graph in FAMILY.graphs])
def test_a_graph_for_inference_computes_the_same(graph: str) -> None:
    network = build(CONFIG, seed=3)
    spec = FAMILY.graph(graph).bind(LAYOUT.dims(512))
    inputs = example_inputs(spec, seed=1)
    expected = HOST.module(network, graph)(*inputs)
    for ours, theirs, tensor in zip(
        HOST.module(HOST.fused(network), graph)(*inputs), expected, spec.outputs, strict=True
    ):
        assert tuple(ours.shape) == tensor.shape
        assert float((ours - theirs).abs().max() / theirs.abs().max()) <= TOLERANCE


@pytest.mark.parametrize("size", [256, 512, 768, 1024])
def test_memory_has_as_many_tokens_at_every_size(size: int, network: EdgeTam) -> None:
    dims = LAYOUT.dims(size)
    assert dims["N"] == 512
    assert dims["K7"] == 7 * 512 + 80  # 64 of the last ones are used at most beside one prompt
    side = size // 16
    assert network.spatial_perceiver(torch.randn(1, 64, side, side)).shape == (1, 512, 64)


def test_tokens_of_the_grid_see_their_window_alone(network: EdgeTam) -> None:
    memory = torch.randn(1, 64, 32, 32)
    before = network.spatial_perceiver(memory)[0]
    memory[0, :, 6:8, 2:4] += torch.randn(64, 2, 2)  # the window of row 3 and column 1
    changed = (network.spatial_perceiver(memory)[0] - before).abs().amax(1) > 1e-6
    assert changed[:256].any()
    assert changed[256:].nonzero().flatten().tolist() == [3 * 16 + 1]


def test_global_tokens_have_no_place() -> None:
    position_nc, rotation = token_places(64, 64)
    assert not position_nc[:256].any()
    assert (position_nc[256:].abs().sum(1) > 0).all()
    key = torch.randn(1, 512, 256)
    turned = rotated(key, rotation)
    assert torch.equal(turned[:, :257], key[:, :257])  # the first cell lies at 0, 0
    assert not torch.equal(turned[:, 257:], key[:, 257:])
    assert torch.equal(torch.stack(rotation), torch.stack(token_places(16, 16).rotation))


@pytest.mark.parametrize("size", [128, 384, 500, 1000, 4096])
def test_sizes_that_256_does_not_divide(size: int) -> None:
    with pytest.raises(ArgumentError, match="multiples of 256 from 256 to 2048"):
        HOST.check_size(CONFIG, size)
    HOST.check_size(CONFIG, 768)


def test_the_same_seed_gives_the_same_network() -> None:
    one, other = build(CONFIG, 4).state_dict(), build(CONFIG, 4).state_dict()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name])
        assert np.ptp(tensor.numpy()) > 0 or tensor.numel() == 1, name


def test_frames_of_two_sizes_share_their_memory(network: EdgeTam, clip: list[Tensor]) -> None:
    loop = HOST.reference(network)
    from sam2lite.runtimes.prompts import Prompt

    loop.start_frame(clip[0])
    loop.prompt(1, Prompt(points=[(100, 90)]), 256, 256)
    loop.track(1)
    loop.start_frame(torch.nn.functional.interpolate(clip[1].float(), (512, 512)).to(torch.uint8))
    assert torch.isfinite(loop.track(1).logits_hw).all()
