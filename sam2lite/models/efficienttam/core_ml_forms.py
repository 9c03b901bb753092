"""EfficientTAM's graphs in the forms that Core ML takes: docs/coreml.md."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sam2lite.models.efficienttam.vit import Vit
from sam2lite.models.sam2 import core_ml_forms
from sam2lite.models.sam2.graphs import ImageEncoderGraph


class PlacedVit(Vit):
    """A trunk with the position table of one size: MIL has no bicubic resize."""

    table_1chw: Tensor

    def __init__(self, trunk: Vit, table_1chw: Tensor) -> None:
        """Build it.

        Args:
            trunk: whose parts it takes over.
            table_1chw: added to patches of one size of image.
        """
        super(Vit, self).__init__()
        self.patch_embed, self.blocks = trunk.patch_embed, trunk.blocks
        self.register_buffer("table_1chw", table_1chw)

    def positions(self, height: int, width: int) -> Tensor:
        """Return the table; see `Vit.positions`."""
        return self.table_1chw


def core_ml_form(module: nn.Module, inputs: Sequence[Tensor]) -> nn.Module:
    """Return what of a graph's module Core ML takes; see `models.sam2.core_ml_forms`."""
    if isinstance(module, ImageEncoderGraph):
        with torch.no_grad():
            core_ml_forms.centre_pixels(module, module.image_encoder, inputs[0], PlacedVit)
    return core_ml_forms.core_ml_form(module, inputs)
