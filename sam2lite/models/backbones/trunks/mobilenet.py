"""MobileNetV3-Large, "Searching for MobileNetV3", arXiv 1905.02244.

Modules have the names that torchvision's features have.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.layers.batch_norm import BatchNorm

_EPSILON, _MOMENTUM = 1e-3, 0.01  # of its batch norms
_SQUEEZE, _MULTIPLE = 4, 8  # channels of squeeze and excitation: a quarter, to whole eights
_STEM, _LAST = 16, 960  # channels
_MAPS = (3, 6, 12, 16)  # features that are at strides 4, 8, 16 and 32


class Row(NamedTuple):
    """A block, as the paper's table has it.

    Attributes:
        kernel: side of the depthwise convolution.
        inner: channels of it.
        out: channels that the block gives.
        excites: whether inner channels are scaled by what their means say.
        hard_swish: the activation; ReLU if not.
        stride: of the depthwise convolution.
    """

    kernel: int
    inner: int
    out: int
    excites: bool
    hard_swish: bool
    stride: int


_ROWS = (
    Row(3, 16, 16, False, False, 1),
    Row(3, 64, 24, False, False, 2),
    Row(3, 72, 24, False, False, 1),
    Row(5, 72, 40, True, False, 2),
    Row(5, 120, 40, True, False, 1),
    Row(5, 120, 40, True, False, 1),
    Row(3, 240, 80, False, True, 2),
    Row(3, 200, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 184, 80, False, True, 1),
    Row(3, 480, 112, True, True, 1),
    Row(3, 672, 112, True, True, 1),
    Row(5, 672, 160, True, True, 2),
    Row(5, 960, 160, True, True, 1),
    Row(5, 960, 160, True, True, 1),
)


class NormedConv(nn.Sequential):
    """A convolution, its batch norm, and an activation if any."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: nn.Module | None = None,
    ) -> None:
        conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        norm = BatchNorm(out, _EPSILON, _MOMENTUM)
        super().__init__(conv, norm, *(() if activation is None else (activation,)))


class SqueezeExcite(nn.Module):
    """Scales channels by what their means say."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        eighths = max(_MULTIPLE, (channels // _SQUEEZE + _MULTIPLE // 2) // _MULTIPLE * _MULTIPLE)
        if eighths < 0.9 * (channels // _SQUEEZE):
            eighths += _MULTIPLE
        self.fc1 = nn.Conv2d(channels, eighths, 1)
        self.fc2 = nn.Conv2d(eighths, channels, 1)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the same shape."""
        mean_bc11 = x_bchw.mean((2, 3), keepdim=True)
        return x_bchw * F.hardsigmoid(self.fc2(torch.relu(self.fc1(mean_bc11))))


class InvertedResidual(nn.Module):
    """More channels, each for itself over space, then fewer; what goes in is added if it fits."""

    def __init__(self, channels: int, row: Row) -> None:
        super().__init__()
        kind = nn.Hardswish if row.hard_swish else nn.ReLU
        parts: list[nn.Module] = []
        if row.inner != channels:
            parts.append(NormedConv(channels, row.inner, activation=kind()))
        parts.append(
            NormedConv(row.inner, row.inner, row.kernel, row.stride, row.inner, activation=kind())
        )
        if row.excites:
            parts.append(SqueezeExcite(row.inner))
        parts.append(NormedConv(row.inner, row.out))
        self.block = nn.Sequential(*parts)
        self.adds = row.stride == 1 and channels == row.out

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return `[B, out, H / stride, W / stride]`."""
        result: Tensor = self.block(x_bchw)
        return x_bchw + result if self.adds else result


class MobileNet(nn.Module):
    """The trunk, without a classifier."""

    def __init__(self) -> None:
        super().__init__()
        features: list[nn.Module] = [NormedConv(3, _STEM, 3, 2, activation=nn.Hardswish())]
        before = _STEM
        for row in _ROWS:
            features.append(InvertedResidual(before, row))
            before = row.out
        features.append(NormedConv(before, _LAST, activation=nn.Hardswish()))
        self.base = nn.Sequential(*features)

    def forward(self, image_bchw: Tensor) -> list[Tensor]:
        """Return maps at strides 4, 8, 16 and 32.

        Args:
            image_bchw: normalised.
        """
        x_bchw, maps = image_bchw, []
        for index, feature in enumerate(self.base):
            x_bchw = feature(x_bchw)
            if index in _MAPS:
                maps.append(x_bchw)
        return maps
