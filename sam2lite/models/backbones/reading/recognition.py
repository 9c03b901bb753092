"""Whether a checkpoint has a known trunk before SAM 2's memory, by the names of its tensors."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from sam2lite.contracts.families.backbones import NAME

TRUNK = "image_encoder.trunk."
RESNET, MOBILENET, CASVIT = (f"{TRUNK}{first}." for first in ("layer1.0", "base.0", "network.0.0"))

_MEMORY = ("memory_attention.", "memory_encoder.")
_PERCEIVER = "spatial_perceiver."  # of another memory, beside any trunk

# What observers and fake quantizers of PyTorch keep beside the weights that they are put to.
FAKE_QUANTIZER = re.compile(r"(^|.*\.)(weight_fake_quant|activation_post_process)\.")


def is_backbone(keys: Collection[str], config: Mapping[str, Any] | None) -> bool:
    """Return whether it has; those for single images, without a memory, are not.

    Args:
        keys: names of its tensors; none where it has no weights.
        config: its `config.json`; None where it has none.
    """
    if not keys:
        return config is not None and config.get("model_type") == NAME
    return (
        any(key.startswith((RESNET, MOBILENET, CASVIT)) for key in keys)
        and any(key.startswith(_MEMORY) for key in keys)
        and not any(key.startswith(_PERCEIVER) for key in keys)
    )
