"""Whether a checkpoint is one of EfficientTAM, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Collection

_TABLE = "image_encoder.trunk.pos_embed"  # the whole of it: SAM 2's trunk has one for windows, too
_NECK = "image_encoder.neck.convs.0.conv_3x3."
_PARTS = (_NECK, "image_encoder.trunk.blocks.", "memory_attention.", "memory_encoder.")


def is_efficienttam(keys: Collection[str]) -> bool:
    """Return whether it is.

    Args:
        keys: names of its tensors; none where it has no weights.
    """
    return _TABLE in keys and all(any(key.startswith(part) for key in keys) for part in _PARTS)
