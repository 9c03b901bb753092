"""An EdgeTAM network for inference: batch norms and side branches are in the convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.edgetam.network import EdgeTam
from sam2lite.models.edgetam.repvit import NormedConv, TokenMixer
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
            setattr(parent, name, _with_bias(module.c, *_weight_and_bias(module)))
        else:
            _fold(module)


def _weight_and_bias(conv: NormedConv) -> tuple[Tensor, Tensor]:
    """Return the weight, in float64, with the batch norm in it, and the bias that it becomes."""
    scale = conv.bn.weight.double() / torch.sqrt(conv.bn.running_var.double() + conv.bn.eps)
    weight = conv.c.weight.double() * scale[:, None, None, None]
    return weight, conv.bn.bias.double() - conv.bn.running_mean.double() * scale


def _one_of_three(mixer: TokenMixer) -> nn.Conv2d:
    weight, bias = _weight_and_bias(mixer.conv)
    middle, middle_bias = _weight_and_bias(mixer.conv1)
    reach = weight.shape[2] // 2
    whole = weight + F.pad(middle + 1.0, [reach] * 4)  # 1: the cell as it is
    return _with_bias(mixer.conv.c, whole, bias + middle_bias)


def _with_bias(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """Return a convolution of the same form with other numbers."""
    made = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        weight.shape[2],
        conv.stride[0],
        conv.padding[0],
        groups=conv.groups,
    )
    made.load_state_dict({"weight": weight.float(), "bias": bias.float()})
    return made.requires_grad_(False)
