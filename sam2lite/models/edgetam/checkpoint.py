"""Checkpoints of EdgeTAM, as Meta and as Hugging Face publish them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import CONFIG_FILE
from sam2lite.models.edgetam.config import M1, EdgeTamConfig, RepVitConfig
from sam2lite.models.edgetam.huggingface_keys import with_meta_names
from sam2lite.models.edgetam.network import EdgeTam
from sam2lite.models.edgetam.recognition import MODEL_TYPE
from sam2lite.models.found import Found
from sam2lite.models.sam2.config import TRAINED_SIZE
from sam2lite.models.sam2.reading.checkpoint import NO_WEIGHTS, Checkpoint, Reader, read
from sam2lite.models.sam2.reading.huggingface_config import (
    FIXED_PARTS,
    check_settings,
    size_said,
)
from sam2lite.models.sam2.reading.huggingface_keys import is_huggingface

TITLE = "EdgeTAM"

_BODY = "image_encoder.trunk.body."
_BLOCK = re.compile(re.escape(_BODY) + r"stages_(\d)\.blocks\.(\d{1,3})\.")
_STAGES = 4
_COUNTERS = ".num_batches_tracked"  # of batch norms, which training alone reads

# Where a configuration of Hugging Face says nothing, its classes mean SAM 2.1; what the published
# network is, its configuration says and the tensors show.
_FIXED: Mapping[str, object] = {
    **FIXED_PARTS,
    "enable_occlusion_spatial_embedding": False,
    "enable_temporal_pos_encoding_for_object_pointers": False,
    "memory_attention_mlp_hidden_act": "relu",
    "memory_attention_rope_k_sizes": [16, 16],
    "perceiver_resampler_num_attention_heads": 1,
    "vision_config.fpn_top_down_levels": [2, 3],
    "vision_config.fpn_stride": 1,
    "vision_config.fpn_padding": 0,
    "vision_config.num_feature_levels": 3,
}


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of EdgeTAM, by the names of Meta or of Hugging Face.

    The tensors say what its trunk is; a `config.json` of Hugging Face says for which size of input
    the network was trained, and is refused if it describes another.

    Args:
        path: see `sam2.reading.checkpoint.read`.

    Raises:
        ModelError: see there.
        DependencyError: safetensors is not installed.
    """
    return read(path, _READER)


def _by_meta_names(stored: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    named = with_meta_names(stored, path) if is_huggingface(stored) else dict(stored)
    return {
        name: tensor
        for name, tensor in named.items()
        if not (NO_WEIGHTS.match(name) or name.endswith(_COUNTERS))
    }


def _told(found: Found, claims: Mapping[str, Tensor]) -> EdgeTamConfig:
    trunk = _trunk_of(claims, found.path)
    size = TRAINED_SIZE
    if found.config is not None and found.config.get("model_type") == MODEL_TYPE:
        path = found.path / CONFIG_FILE
        check_settings(found.config, path, _FIXED, TITLE)
        size = size_said(found.config, path, EdgeTamConfig.stride)
    published = EdgeTamConfig()
    name = f"{published.name}_{trunk.widths[0]}x{sum(trunk.blocks)}"
    return EdgeTamConfig(published.name if trunk == M1 else name, trunk, (size,))


def _trunk_of(state: Mapping[str, Tensor], path: Path) -> RepVitConfig:
    """Return the trunk that tensors belong to; their names and shapes alone count."""
    numbers = [(int(found[1]), int(found[2])) for found in map(_BLOCK.match, state) if found]
    blocks = [1 + max((n for at, n in numbers if at == s), default=-1) for s in range(_STAGES)]
    lasts = [
        state.get(f"{_BODY}stages_{stage}.blocks.0.token_mixer.conv.c.weight")
        for stage in range(_STAGES)
    ]
    widths = [0 if last is None or last.dim() != 4 else int(last.shape[0]) for last in lasts]
    if 0 in blocks or 0 in widths or widths[0] % 2:
        raise ModelError(
            f"{printable(path)}: the trunk has stages of {blocks} blocks and {widths} channels; "
            f"RepViT has {_STAGES} stages; take the whole checkpoint"
        )
    return RepVitConfig(
        (widths[0], widths[1], widths[2], widths[3]), (blocks[0], blocks[1], blocks[2], blocks[3])
    )


_READER = Reader(_by_meta_names, _told, EdgeTam, lambda config: TITLE)
