"""A network: SAM 2's heads and memory behind another trunk and SAM 2's neck."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.backbones.config import (
    BackboneConfig,
    MobileNetConfig,
    ResNetConfig,
    TrunkConfig,
)
from sam2lite.models.backbones.trunks.casvit import CasVit
from sam2lite.models.backbones.trunks.mobilenet import MobileNet
from sam2lite.models.backbones.trunks.resnet import ResNet
from sam2lite.models.layers.batch_norm import BatchNorm
from sam2lite.models.sam2.image_encoder import Neck
from sam2lite.models.sam2.network import SlotBankNetwork, randomise

_COARSE, _FINE = 8, 128  # px, sides of the pictures that random networks have their means of

# What takes a product of three activations: of random weights, fifteen such blocks would have no
# bounds on pictures of other statistics.
_PRODUCT, _PRODUCT_SCALE = ".attn.proj.weight", 0.1


def trunk_of(config: TrunkConfig) -> nn.Module:
    """Return the trunk of a configuration: from an image to maps at strides 4, 8, 16 and 32."""
    if isinstance(config, ResNetConfig):
        return ResNet(config)
    return MobileNet() if isinstance(config, MobileNetConfig) else CasVit(config)


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, config: TrunkConfig) -> None:
        super().__init__()
        self.trunk = trunk_of(config)
        self.neck = Neck(list(config.widths))

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return `[B, 256, H, W]` at strides 4, 8 and 16.

        Args:
            image_bchw: normalised.
        """
        result: list[Tensor] = self.neck(self.trunk(image_bchw))
        return result


class BackboneNetwork(SlotBankNetwork):
    """SAM 2's parts, with another image encoder."""

    config: BackboneConfig

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__(config, ImageEncoder(config.trunk))


def build(config: BackboneConfig, seed: int = 0) -> BackboneNetwork:
    """Return a network with random weights, in evaluation mode; the same seed gives the same.

    No tensor is left at zero or one. Batch norms have the statistics of random pictures.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = BackboneNetwork(config)
        randomise(network)
        settle(network)
    return network.eval()


@torch.no_grad()
def settle(network: BackboneNetwork) -> None:
    """Keep an image encoder of new weights within bounds, by PyTorch's seed.

    Products are scaled down, and batch norms get the statistics of random pictures.
    """
    for name, parameter in network.image_encoder.named_parameters():
        if name.endswith(_PRODUCT):
            parameter.mul_(_PRODUCT_SCALE)
    norms = [module for module in network.modules() if isinstance(module, BatchNorm)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    network.image_encoder.train()(_pictures())
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum


def _pictures() -> Tensor:
    """Return soft patterns, and noise as traced graphs are given it."""
    coarse = F.interpolate(2 * torch.randn(4, 3, _COARSE, _COARSE), (_FINE, _FINE), mode="bicubic")
    noise = torch.randn(4, 3, _FINE, _FINE)
    return torch.cat([(coarse + 0.3 * noise)[:2], 1.2 * noise[2:]])
