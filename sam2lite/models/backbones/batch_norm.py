"""Batch norm that checkpoints of all kinds fit, and what it is of the convolution beside it."""

from __future__ import annotations

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


def with_norm_after(conv: nn.Conv2d, norm: BatchNorm) -> nn.Conv2d:
    """Return one convolution that computes what a convolution and then a batch norm do."""
    scale, shift = norm.scale_and_shift()
    weight = conv.weight.double() * scale[:, None, None, None]
    return _like(conv, weight, _bias(conv) * scale + shift)


def with_norm_before(conv: nn.Conv2d, norm: BatchNorm) -> nn.Conv2d:
    """Return one convolution that computes what a batch norm and then a convolution do.

    Args:
        conv: of single cells: around others there is a border, which is not normalised.
        norm: before it.
    """
    assert conv.kernel_size == (1, 1)
    assert conv.groups == 1
    scale, shift = norm.scale_and_shift()
    matrix = conv.weight[..., 0, 0].double()
    weight = (matrix * scale)[..., None, None]
    return _like(conv, weight, _bias(conv) + matrix @ shift)


def _bias(conv: nn.Conv2d) -> Tensor:
    if conv.bias is None:
        return torch.zeros(conv.out_channels, dtype=torch.float64)
    return conv.bias.double()


def _like(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    made = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (conv.kernel_size[0], conv.kernel_size[1]),
        (conv.stride[0], conv.stride[1]),
        (int(conv.padding[0]), int(conv.padding[1])),
        groups=conv.groups,
    )
    made.load_state_dict({"weight": weight.float(), "bias": bias.float()})
    return made.requires_grad_(False)
