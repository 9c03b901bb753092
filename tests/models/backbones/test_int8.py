"""INT8 simulated on image encoders: batch norms are folded, and paths are those of exports."""

from __future__ import annotations

import torch

from sam2lite.models.backbones.family import HOST
from sam2lite.models.backbones.network import BackboneNetwork, build
from sam2lite.models.layers.batch_norm import BatchNorm
from sam2lite.training.quantization import SimulatedInt8
from tests.models.backbones.conftest import SMALL, small_config
from tests.oracles.clip import random_clip


def simulation(network: BackboneNetwork) -> SimulatedInt8:
    inside = set(network.image_encoder.modules())
    layers = HOST.quantized_layers(network)
    own = {path: layer for path, layer in layers.items() if layer in inside}
    return SimulatedInt8(own, HOST.folds(network))


def test_folded_layers_compute_the_same_until_ranges_are_known(network: BackboneNetwork) -> None:
    image = random_clip(1, 128)[0]
    expected = HOST.maps(network, image)
    with simulation(network):
        found = HOST.maps(network, image)
    for ours, theirs in zip(found, expected, strict=True):
        assert float((ours - theirs).abs().max()) <= 1e-5 * float(theirs.abs().max())
        assert not torch.equal(ours, theirs)
    for ours, theirs in zip(HOST.maps(network, image), expected, strict=True):
        assert torch.equal(ours, theirs)  # detached


def test_every_batch_norm_goes_into_a_convolution_and_statistics_stand_still() -> None:
    for kind in SMALL:
        network = build(small_config(kind), seed=6)
        norms = {module for module in network.modules() if isinstance(module, BatchNorm)}
        folds = HOST.folds(network)
        assert {fold.norm for fold in folds} == norms
        assert len({fold.conv for fold in folds}) == len(folds) == len(norms)
        before = {norm: norm.running_mean.clone() for norm in norms}
        int8 = simulation(network)
        with int8, torch.enable_grad():
            network.image_encoder.train()
            maps = HOST.maps(network, random_clip(1, 128)[0])
            torch.stack([each.sum() for each in maps]).sum().backward()
        assert len(int8.ranges()) == len(int8.observed) > 15
        for fold in folds:
            assert fold.conv.weight.grad is not None
            assert torch.equal(before[fold.norm], fold.norm.running_mean)


def test_ranges_have_the_paths_that_an_export_asks_for(network: BackboneNetwork) -> None:
    known = dict.fromkeys(simulation(network).observed, (0.0, 1.0))
    exported = HOST.exported_ranges(known)
    asked = HOST.quantized_layers(HOST.fused(network))
    encoders = {path for path in asked if path.startswith("image_encoder.image_encoder.")}
    assert exported.keys() == encoders
