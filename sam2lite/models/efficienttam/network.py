"""An EfficientTAM network: modules and parameters have the names that checkpoints have."""

from __future__ import annotations

import torch

from sam2lite.models.efficienttam.config import PLAIN, EfficientTamConfig
from sam2lite.models.efficienttam.image_encoder import ImageEncoder
from sam2lite.models.efficienttam.pooling import Pooling
from sam2lite.models.sam2.memory_attention import RotaryAttention
from sam2lite.models.sam2.network import SlotBankNetwork, randomise


class EfficientTam(SlotBankNetwork):
    """Every variant of it: they have the same parameters."""

    config: EfficientTamConfig

    def __init__(self, config: EfficientTamConfig) -> None:
        super().__init__(config, ImageEncoder(config.trunk))
        if config.attention != PLAIN:
            for layer in self.memory_attention.layers:
                attention = layer.get_submodule("cross_attn_image")
                assert isinstance(attention, RotaryAttention)
                attention.pooling = Pooling(config.attention)


def build(config: EfficientTamConfig, seed: int = 0) -> EfficientTam:
    """Return a network with random weights, in evaluation mode; the same seed gives the same.

    See `models.sam2.network.build`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = EfficientTam(config)
        randomise(network)
    return network.eval()
