"""A teacher's heads and memory behind an image encoder that is to be trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import IMAGE_ENCODER, LAYOUT
from sam2lite.errors import ArgumentError
from sam2lite.models.backbones.config import BACKBONES, config_of
from sam2lite.models.backbones.network import BackboneNetwork, settle
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2.config import SlotBankConfig
from sam2lite.models.sam2.graphs import ImageEncoderGraph, graph_module
from sam2lite.models.sam2.network import SlotBankNetwork

_ENCODER = "image_encoder."


def check_teacher(teacher: LoadedModel) -> SlotBankConfig:
    """Check that a network has SAM 2's heads and memory; return what it was built from.

    Raises:
        ArgumentError: it has not.
    """
    config = teacher.config
    if not (
        isinstance(config, SlotBankConfig)
        and config.layout == LAYOUT
        and config.attention_layers == SlotBankConfig.attention_layers
    ):
        raise ArgumentError(
            f"the teacher {teacher.name} is of the family {teacher.family.title}, whose heads are "
            "made for other maps; choose a checkpoint of SAM 2 or 2.1"
        )
    return config


def grafted(teacher: LoadedModel, encoder: str, size: int | None, seed: int) -> BackboneNetwork:
    """Return the network: trunk and neck have new weights, all else is a copy of the teacher's."""
    said = check_teacher(teacher)
    trunk, usual = BACKBONES[encoder]
    theirs = teacher.model.state_dict()
    config = config_of(trunk, said.pointer_time, (size or usual,))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = BackboneNetwork(config)
        for module in network.image_encoder.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        settle(network)  # batch norms, too: else dozens of steps would pass until they tell
    ours = network.state_dict()
    heads = {name: theirs[name].clone() for name in ours if not name.startswith(_ENCODER)}
    network.load_state_dict({**ours, **heads})
    return network.eval()


def maps(network: nn.Module, image_bchw: Tensor) -> list[Tensor]:
    """Return the maps of the neck; see `models.grafting.Grafting`."""
    assert isinstance(network, SlotBankNetwork)
    training = network.image_encoder.training
    graph = graph_module(network, IMAGE_ENCODER)
    network.image_encoder.train(training)  # a graph that is made puts its parts in evaluation mode
    assert isinstance(graph, ImageEncoderGraph)
    mean, std = (each.to(image_bchw.device) for each in (graph.pixel_mean, graph.pixel_std))
    result: list[Tensor] = network.image_encoder((image_bchw.float() - mean) / std)
    return result
