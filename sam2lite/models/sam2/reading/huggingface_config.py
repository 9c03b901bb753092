"""The `config.json` of a SAM 2 network of Hugging Face: what it says, and what it must not say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.sam2.config import PUBLISHED, STRIDE, TRAINED_SIZE, HieraConfig

_BACKBONE = "vision_config.backbone_config."
_DEFAULT = PUBLISHED["sam2.1_hiera_tiny"].trunk  # what is not said is as in this one
_LARGEST = 4096  # px, of an input
_MOST_BLOCKS = 512

# What all published networks have in common and no shape of a tensor shows. A network that was
# trained with anything else would run, and give other masks than its own code does.
FIXED_PARTS: Mapping[str, object] = {
    "num_maskmem": 7,
    "sigmoid_scale_for_mem_enc": 20,
    "sigmoid_bias_for_mem_enc": -10,
    "multimask_output_in_sam": True,
    "multimask_min_pt_num": 0,
    "multimask_max_pt_num": 1,
    "multimask_output_for_tracking": True,
    "max_object_pointers_in_encoder": 16,
    "memory_attention_num_attention_heads": 1,
    "memory_attention_feed_forward_hidden_act": "relu",
    "memory_attention_rope_theta": 10000,  # in published files; newer ones have the next
    "rope_parameters.rope_theta": 10000,
    "mask_downsampler_stride": 2,
    "mask_downsampler_padding": 1,
    "mask_downsampler_total_stride": 16,
    "mask_downsampler_hidden_act": "gelu",
    "memory_fuser_padding": 3,
    "memory_fuser_hidden_act": "gelu",
    "mask_decoder_config.hidden_act": "gelu",
    "mask_decoder_config.num_attention_heads": 8,
    "mask_decoder_config.dynamic_multimask_via_stability": True,
    "mask_decoder_config.dynamic_multimask_stability_delta": 0.05,
    "mask_decoder_config.dynamic_multimask_stability_thresh": 0.98,
    "prompt_encoder_config.patch_size": 16,
    "prompt_encoder_config.hidden_act": "gelu",
    "prompt_encoder_config.layer_norm_eps": 1e-6,
}
_FIXED: Mapping[str, object] = {
    **FIXED_PARTS,
    "vision_config.fpn_top_down_levels": [2, 3],
    "vision_config.fpn_stride": 1,
    "vision_config.fpn_padding": 0,
    "vision_config.num_feature_levels": 3,
    _BACKBONE + "patch_stride": 4,
    _BACKBONE + "patch_padding": 3,
    _BACKBONE + "query_stride": 2,
    _BACKBONE + "num_query_pool_stages": 3,
    _BACKBONE + "mlp_ratio": 4,
    _BACKBONE + "hidden_act": "gelu",
    _BACKBONE + "layer_norm_eps": 1e-6,
}


def check_settings(
    config: Mapping[str, Any],
    path: Path,
    fixed: Mapping[str, object] = _FIXED,
    title: str = "SAM 2",
) -> None:
    """Refuse a network that computes otherwise than the published ones.

    Args:
        config: the configuration.
        path: of it, for messages.
        fixed: what the published ones say, by dotted names; where nothing is said, they agree.
        title: of the published ones.

    Raises:
        ModelError: it does; the settings are listed.
    """
    lines = []
    for name, value in fixed.items():
        said = value_said(config, name)
        if said is not None and said not in (value, [value, value]):
            lines.append(f"{name}: {printable(repr(said))[:80]}, all published networks {value!r}")
    if lines:
        raise ModelError(
            f"{printable(path)} describes no network that is known to be {title}, in {len(lines)} "
            "settings:\n  " + "\n  ".join(lines)
        )


def trunk_said(config: Mapping[str, Any], path: Path) -> HieraConfig:
    """Return the trunk that is described.

    Raises:
        ModelError: it is none, or not one of Hiera as SAM 2 has it.
    """
    blocks = _four(config, "blocks_per_stage", _DEFAULT.blocks, path)
    widths = _four(config, "embed_dim_per_stage", _doubled(_DEFAULT.embed_dim), path)
    heads = _four(config, "num_attention_heads_per_stage", _doubled(_DEFAULT.heads), path)
    windows = _four(config, "window_size_per_stage", _DEFAULT.windows, path)
    everywhere = _numbers(config, "global_attention_blocks", _DEFAULT.global_blocks, path)
    name = "window_positional_embedding_background_size"
    background = _numbers(config, name, _DEFAULT.background, path)
    fits = (
        widths == _doubled(widths[0])
        and heads == _doubled(heads[0])
        and 0 not in (*blocks, *widths, *heads, *windows, *background)
        and widths[0] % heads[0] == 0
        and sum(blocks) <= _MOST_BLOCKS
        and all(block < sum(blocks) for block in everywhere)
        and len(background) == 2
    )
    if not fits:
        raise ModelError(
            f"{printable(path)}: the trunk has blocks {blocks}, widths {widths}, heads {heads}, "
            f"windows {windows}, all cells in blocks {everywhere}, background {background}; in SAM "
            "2 widths and heads double from stage to stage, and heads divide widths"
        )
    return HieraConfig(
        widths[0], heads[0], blocks, windows, everywhere, (background[0], background[1])
    )


def features_said(config: Mapping[str, Any], path: Path) -> tuple[bool, bool]:
    """Return whether it has the occlusion embedding and the time of pointers.

    Raises:
        ModelError: it says neither true nor false.
    """
    names = (
        "enable_occlusion_spatial_embedding",
        "enable_temporal_pos_encoding_for_object_pointers",
    )
    first, second = (config.get(name, True) for name in names)
    if not isinstance(first, bool) or not isinstance(second, bool):
        raise ModelError(
            f"{printable(path)}: {names[0]} is {printable(repr(first))[:80]} and {names[1]} "
            f"{printable(repr(second))[:80]}; they must be true or false"
        )
    return first, second


def size_said(config: Mapping[str, Any], path: Path, stride: int = STRIDE) -> int:
    """Return the side of the input that the network is described for, px.

    Args:
        config: the configuration.
        path: of it, for messages.
        stride: that a side must be a multiple of, px.

    Raises:
        ModelError: it is no square that the network can take.
    """
    said = config.get("image_size", TRAINED_SIZE)
    side = said[0] if isinstance(said, list) and len(said) == 2 and said[0] == said[1] else said
    if type(side) is not int or not stride <= side <= _LARGEST or side % stride:
        raise ModelError(
            f"{printable(path)}: image_size is {printable(repr(said))[:80]}; it must be a multiple "
            f"of {stride} up to {_LARGEST}"
        )
    return side


def value_said(config: Mapping[str, Any], name: str) -> Any:
    """Return what a configuration says under a dotted name; None where it says nothing."""
    value: Any = config
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _doubled(first: int) -> tuple[int, int, int, int]:
    return (first, 2 * first, 4 * first, 8 * first)


def _numbers(
    config: Mapping[str, Any], name: str, default: tuple[int, ...], path: Path
) -> tuple[int, ...]:
    said = value_said(config, _BACKBONE + name)
    said = list(default) if said is None else said
    if not isinstance(said, list) or not all(type(n) is int and 0 <= n < 1 << 20 for n in said):
        raise ModelError(
            f"{printable(path)}: {_BACKBONE}{name} is {printable(repr(said))[:80]}; it must be a "
            "list of whole numbers"
        )
    return tuple(said)


def _four(
    config: Mapping[str, Any], name: str, default: tuple[int, int, int, int], path: Path
) -> tuple[int, int, int, int]:
    said = _numbers(config, name, default, path)
    if len(said) != len(default):
        raise ModelError(
            f"{printable(path)}: {_BACKBONE}{name} has {len(said)} numbers; SAM 2 has "
            f"{len(default)} stages"
        )
    return (said[0], said[1], said[2], said[3])
