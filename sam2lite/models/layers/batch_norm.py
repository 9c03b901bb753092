"""Batch norm that checkpoints of all kinds fit, and what it is of the convolution beside it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.Module):
    """A batch norm without the count of batches, which nothing reads.

    Attributes:
        momentum: share of a batch in the running statistics.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        return F.batch_norm(
            x_bchw,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Return what it multiplies each channel by, and then adds, in float64."""
        scale = self.weight.double() / torch.sqrt(self.running_var.double() + self.eps)
        return scale, self.bias.double() - self.running_mean.double() * scale


class Fold(NamedTuple):
    """A convolution, and the batch norm beside it that goes into it for inference.

    Attributes:
        conv: if the batch norm stands before it, of single cells: around others there is a border,
            which is not normalised.
        norm: behind it, unless it stands before.
        before: whether it does.
    """

    conv: nn.Conv2d
    norm: BatchNorm
    before: bool = False

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the one convolution, with gradients to what they are made of.

        Shape: that of the convolution's weight, and `[out]`.
        """
        conv = self.conv
        scale, shift = self.norm.scale_and_shift()
        weight, bias = conv.weight.double(), conv.weight.new_zeros(1).double()
        if conv.bias is not None:
            bias = conv.bias.double()
        if self.before:
            assert conv.kernel_size == (1, 1)
            assert conv.groups == 1
            bias = bias + weight[..., 0, 0] @ shift
            weight = weight * scale[:, None, None]
        else:
            bias = bias * scale + shift
            weight = weight * scale[:, None, None, None]
        return weight.float(), bias.float()

    @torch.no_grad()
    def convolution(self) -> nn.Conv2d:
        """Return the one convolution, for inference."""
        conv = self.conv
        weight, bias = self.folded()
        made = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            (conv.kernel_size[0], conv.kernel_size[1]),
            (conv.stride[0], conv.stride[1]),
            (int(conv.padding[0]), int(conv.padding[1])),
            groups=conv.groups,
        )
        made.load_state_dict({"weight": weight, "bias": bias})
        return made.requires_grad_(False)
