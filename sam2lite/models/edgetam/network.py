"""An EdgeTAM network: modules and parameters have the names that Meta's checkpoint has."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.edgetam.config import EdgeTamConfig
from sam2lite.models.edgetam.perceiver import SpatialPerceiver, token_places
from sam2lite.models.edgetam.repvit import RepVit
from sam2lite.models.sam2.image_encoder import Neck
from sam2lite.models.sam2.network import SlotBankNetwork, randomise

# The last norms of what blocks add.
_ADDING = re.compile(r"(token_mixer\.conv1?|channel_mixer\.conv2|ffn\.conv2)\.bn\.weight$")
_ADDED = 0.3  # by blocks of random networks, of what they add it to
_KEPT = 1.0  # logit of the share of channels that random networks let through
_COARSE, _FINE = 8, 128  # px, sides of the pictures that random networks have their means of


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, config: EdgeTamConfig) -> None:
        super().__init__()
        self.trunk = RepVit(config.trunk)
        self.neck = Neck(list(config.trunk.widths))

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return `[1, 256, H, W]` at strides 4, 8 and 16.

        Args:
            image_bchw: normalised.
        """
        result: list[Tensor] = self.neck(self.trunk(image_bchw))
        return result


class EdgeTam(SlotBankNetwork):
    """SAM 2's parts, with another image encoder and a perceiver behind the memory encoder."""

    config: EdgeTamConfig
    image_encoder: ImageEncoder
    places = staticmethod(token_places)

    def __init__(self, config: EdgeTamConfig) -> None:
        super().__init__(config, ImageEncoder(config))
        self.spatial_perceiver = SpatialPerceiver()

    def resampler(self) -> nn.Module:
        """See `SlotBankNetwork`."""
        return self.spatial_perceiver


def build(config: EdgeTamConfig, seed: int = 0) -> EdgeTam:
    """Return a network with random weights, in evaluation mode; the same seed gives the same.

    No tensor is left at zero or one. Batch norms have the statistics of random pictures: without
    them, what goes through twenty blocks would grow beyond all bounds. What blocks add is less than
    what they add it to, as in networks that are trained, where it begins at nothing: otherwise each
    of them would double what is wrong in the last digits.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = EdgeTam(config)
        randomise(network)
        for name, parameter in network.image_encoder.named_parameters():
            if _ADDING.search(name):
                parameter.mul_(_ADDED)
            elif name.endswith(".se.fc2.bias"):
                parameter.add_(_KEPT)
        network.image_encoder.train()(_pictures())
    return network.eval()


def _pictures() -> Tensor:
    coarse = F.interpolate(2 * torch.randn(4, 3, _COARSE, _COARSE), (_FINE, _FINE), mode="bicubic")
    return coarse + 0.3 * torch.randn(4, 3, _FINE, _FINE)
