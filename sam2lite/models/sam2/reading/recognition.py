"""Whether a checkpoint is one of SAM 2 with its memory, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

MODEL_TYPE = "sam2_video"  # in the config.json of Hugging Face

# The windowed position table is Hiera's as SAM 2 has it: ViTs and RepViTs have none.
_TRUNKS = (
    "image_encoder.trunk.pos_embed_window",
    "vision_encoder.backbone.pos_embed_window",
)
_MEMORY = ("memory_attention.", "memory_encoder.")
_OTHERS = ("spatial_perceiver.",)  # EdgeTAM, which may have Hiera's trunk


def is_sam2(keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
    """Return whether it is; networks for single images, which have no memory, are not.

    Args:
        keys: names of its tensors, Meta's or Hugging Face's; none where it has no weights.
        config: its `config.json`; None where it has none.
    """
    if not keys:
        return config is not None and config.get("model_type") == MODEL_TYPE
    return (
        any(trunk in keys for trunk in _TRUNKS)
        and any(key.startswith(_MEMORY) for key in keys)
        and not any(key.startswith(_OTHERS) for key in keys)
    )
