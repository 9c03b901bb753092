"""SAM2-Lite's modules in the forms that Core ML takes: docs/coreml.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sam2lite.models.sam2lite.image_encoder import ImageEncoder, Stage
from sam2lite.models.sam2lite.positions import resized_table


class CentredImage(nn.Module):
    """An image encoder that FP16 rounds pixels once for, instead of three times.

    `x * scale + shift` costs Tiny 1.3 to 5 dB: the shift is rounded as well, and where
    both nearly cancel, the product's rounding remains. Here, whole numbers are taken from pixels,
    which is exact, and one depthwise convolution does the rest.
    """

    centre: Tensor

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        scale, shift = encoder.pixel_scale, encoder.pixel_shift
        centre = torch.round(-shift / scale)
        self.register_buffer("centre", centre)
        channels = scale.shape[1]
        self.normalise = nn.Conv2d(channels, channels, 1, groups=channels)
        assert self.normalise.bias is not None
        with torch.no_grad():
            self.normalise.weight.copy_(scale.reshape(channels, 1, 1, 1))
            self.normalise.bias.copy_((shift + centre * scale).flatten())
        self.encoder = encoder
        encoder.pixel_scale, encoder.pixel_shift = torch.ones_like(scale), torch.zeros_like(shift)

    def forward(self, image_bchw: Tensor) -> Any:
        """Encode one image, as the encoder does."""
        return self.encoder(self.normalise(image_bchw - self.centre))


def core_ml_form(module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
    """Return what of a graph's module Core ML takes, computing the same at one rung.

    Position tables have the size that the rung needs, because MIL has no bicubic resize, and pixels
    are centred before they are scaled.

    Args:
        module: of the network; changed.
        inputs: of the rung.
    """
    _bake_tables(module, inputs)
    return CentredImage(module) if isinstance(module, ImageEncoder) else module


def _bake_tables(module: nn.Module, inputs: Sequence[Tensor]) -> None:
    def bake(stage: nn.Module, given: tuple[Any, ...]) -> None:
        table = resized_table(stage.position_1chw, int(given[0].shape[-1]))  # type: ignore[arg-type]
        stage.position_1chw = nn.Parameter(table.clone(), requires_grad=False)

    hooks = [
        part.register_forward_pre_hook(bake)
        for part in module.modules()
        if isinstance(part, Stage) and part.position_1chw is not None
    ]
    if hooks:
        with torch.no_grad():
            module(*inputs)
    for hook in hooks:
        hook.remove()
