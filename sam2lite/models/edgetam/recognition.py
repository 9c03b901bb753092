"""Whether a checkpoint is one of EdgeTAM with its memory, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

MODEL_TYPE = "edgetam_video"  # in the config.json of Hugging Face

_TRUNKS = ("image_encoder.trunk.body.", "vision_encoder.backbone.timm_model.")
_PERCEIVER = "spatial_perceiver."


def is_edgetam(keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
    """Return whether it is; networks for single images, which have no perceiver, are not.

    Args:
        keys: names of its tensors, Meta's or Hugging Face's; none where it has no weights.
        config: its `config.json`; None where it has none.
    """
    if not keys:
        return config is not None and config.get("model_type") == MODEL_TYPE
    return any(key.startswith(_TRUNKS) for key in keys) and any(
        key.startswith(_PERCEIVER) for key in keys
    )
