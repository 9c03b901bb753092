"""Whether a checkpoint is one of SAM 2 with its memory, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

MODEL_TYPE = "sam2_video"  # in the config.json of Hugging Face

_BLOCKS = ("image_encoder.trunk.blocks.", "vision_encoder.backbone.blocks.")
_MEMORY = ("memory_attention.", "memory_encoder.")
_PERCEIVER = "spatial_perceiver."  # of another memory, beside any trunk
_TABLES = ("image_encoder.trunk.pos_embed", "image_encoder.trunk.pos_embed_window")


def is_sam2(keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
    """Return whether it is; networks for single images, which have no memory, are not.

    Args:
        keys: names of its tensors, Meta's or Hugging Face's; none where it has no weights.
        config: its `config.json`; None where it has none.
    """
    if not keys:
        return config is not None and config.get("model_type") == MODEL_TYPE
    plain, windowed = (table in keys for table in _TABLES)
    flat = plain and not windowed  # the blocks of a ViT have the same names
    return (
        any(key.startswith(_BLOCKS) for key in keys)
        and any(key.startswith(_MEMORY) for key in keys)
        and not any(key.startswith(_PERCEIVER) for key in keys)
        and not flat
    )
