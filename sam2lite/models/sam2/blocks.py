"""Pieces that several modules of SAM 2 are made of; parameters have the names of checkpoints."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON_2D = 1e-6


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of `[B, C, H, W]`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Normalise; the result has the same shape."""
        # Channels last is where LayerNormalization works: one operator, which FP16 does not break.
        x_bhwc = x_bchw.permute(0, 2, 3, 1)
        normed = F.layer_norm(x_bhwc, self.weight.shape, self.weight, self.bias, _EPSILON_2D)
        return normed.permute(0, 3, 1, 2)


class Mlp(nn.Module):
    """Linear layers with an activation between them."""

    def __init__(self, *widths: int, activation: type[nn.Module] = nn.ReLU) -> None:
        """Build it.

        Args:
            widths: of the input, of what lies between, and of the output.
            activation: between the layers.
        """
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        result: Tensor = self.layers[-1](x)
        return result
