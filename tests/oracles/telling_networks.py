"""Networks with random weights whose objects come and go."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import torch

from sam2lite.models.sam2.config import HieraConfig, Sam2Config
from sam2lite.models.sam2.network import Sam2, SlotBankNetwork, build

N = TypeVar("N", bound=SlotBankNetwork)

# All that the published ones have: pooled queries, padded windows, global blocks, four stages.
CONFIG = Sam2Config("oracle", HieraConfig(32, 1, (1, 2, 3, 2), (8, 4, 7, 3), (4, 7)))
SEED = 6
_SCORE_BIAS = 3.7  # of presence, so that objects are absent on some frames of the clip


# Tensors that are multiplied, by the ends of their names.
_FACTORS = {
    "cross_attn_image.q_proj.weight": 2.0,  # sharper attention to memory
    "cross_attn_image.k_proj.weight": 2.0,
    "cross_attn_image.out_proj.weight": 2.0,  # and more of it
    "iou_prediction_head.layers.2.weight": 3.0,
    "pred_obj_score_head.layers.2.weight": 8.0,
    **{f"mlps.{m}.layers.2.{kind}": 0.25 for m in range(4) for kind in ("weight", "bias")},
}


def telling_network(config: Sam2Config, seed: int, score_bias: float) -> Sam2:
    """Return a network with random weights to which memory matters, and which sees absence.

    Args:
        config: of the network.
        seed: of the weights.
        score_bias: of the presence head's last layer.
    """
    return made_telling(build(config, seed), score_bias)


@torch.no_grad()
def made_telling(network: N, score_bias: float) -> N:
    """Return a network of random weights, changed so; see `telling_network`."""
    for name, parameter in network.named_parameters():
        for end, factor in _FACTORS.items():
            if name.endswith(end):
                parameter.mul_(factor)
        if name.endswith("pred_obj_score_head.layers.2.bias"):
            parameter.fill_(score_bias)
    return network


def small_network() -> Sam2:
    """Return the network that scenarios are made for."""
    return telling_network(CONFIG, SEED, _SCORE_BIAS)


def small_network_of_2_0() -> Sam2:
    """Return a network with the same weights, as far as SAM 2.0 has them."""
    old = build(dataclasses.replace(CONFIG, occlusion_embedding=False, pointer_time=False))
    weights = small_network().state_dict()
    old.load_state_dict({name: weights[name] for name in old.state_dict()})
    return old
