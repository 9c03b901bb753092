"""An EdgeTAM network for inference: batch norms and side branches are in the convolutions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from sam2lite.models.edgetam.network import EdgeTam
from sam2lite.models.edgetam.repvit import NormedConv, TokenMixer
from sam2lite.models.layers.batch_norm import Fold
from sam2lite.models.sam2.fused import fused


def folded(network: EdgeTam) -> EdgeTam:
    """Return a copy of a network for inference; see `sam2.fused`.

    Of every three branches of the trunk and their batch norms there is one convolution with a bias.
    """
    made = fused(network)
    _fold(made.image_encoder)
    return made


def _fold(parent: nn.Module) -> None:
    for name, module in parent.named_children():
        if isinstance(module, TokenMixer):
            setattr(parent, name, _one_of_three(module))
        elif isinstance(module, NormedConv):
            setattr(parent, name, Fold(module.c, module.bn).convolution())
        else:
            _fold(module)


@torch.no_grad()
def _one_of_three(mixer: TokenMixer) -> nn.Conv2d:
    made = Fold(mixer.conv.c, mixer.conv.bn).convolution()
    middle, bias = Fold(mixer.conv1.c, mixer.conv1.bn).folded()
    reach = made.padding[0]
    assert isinstance(reach, int)
    assert made.bias is not None
    made.weight += F.pad(middle + 1.0, [reach] * 4)  # 1: the cell as it is
    made.bias += bias
    return made
