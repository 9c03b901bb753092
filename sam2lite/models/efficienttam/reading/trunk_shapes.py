"""The trunk of EfficientTAM's image encoder, told from its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.efficienttam.config import HEAD_CHANNELS, TABLE_SIDE, VitConfig

_TRUNK = "image_encoder.trunk."
_BLOCK = re.compile(re.escape(_TRUNK) + r"blocks\.(\d{1,3})\.")
_TOKENS = 1 + TABLE_SIDE**2
_WIDEST = 1024  # channels, of a trunk; twice and more what is published


def trunk_of(state: Mapping[str, Tensor], path: Path) -> VitConfig:
    """Return the trunk that tensors belong to.

    Args:
        state: tensors by the published names; their shapes alone count.
        path: of the checkpoint, for messages.

    Raises:
        ModelError: the position table is missing or has another shape.
    """
    table = state.get(f"{_TRUNK}pos_embed")
    shape = () if table is None else tuple(table.shape)
    width = shape[2] if len(shape) == 3 else 0
    if shape[:2] != (1, _TOKENS) or width % HEAD_CHANNELS or not 0 < width <= _WIDEST:
        found = "nothing" if table is None else str(list(shape))
        raise ModelError(
            f"{printable(path)}: {_TRUNK}pos_embed tells the width of an EfficientTAM network; "
            f"expected [1, {_TOKENS}, C], C a multiple of {HEAD_CHANNELS} up to {_WIDEST}, found "
            f"{found}; take the whole checkpoint"
        )
    numbers = {int(found[1]) for found in map(_BLOCK.match, state) if found}
    return VitConfig(width, max(numbers, default=-1) + 1)
