"""From the names that Hugging Face has for the tensors of EdgeTAM to Meta's."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import COPY_AGAIN
from sam2lite.models.sam2.reading import huggingface_keys as sam2_keys

# Beside those of SAM 2, which come after them.
_RULES: tuple[tuple[str, str], ...] = (
    (r"^vision_encoder\.backbone\.timm_model\.", "image_encoder.trunk.body."),
    (r"^(memory_attention\.layers\.\d+)\.mlp\.up_proj\.", r"\1.linear1."),
    (r"^(memory_attention\.layers\.\d+)\.mlp\.down_proj\.", r"\1.linear2."),
    (r"^spatial_perceiver\.latents_1d$", "spatial_perceiver.latents"),
    (r"^(spatial_perceiver\.layers\.\d+)\.layer_norm_input\.", r"\1.attn.norm_x."),
    (r"^(spatial_perceiver\.layers\.\d+)\.layer_norm_latents\.", r"\1.attn.norm_latents."),
    (r"^(spatial_perceiver\.layers\.\d+)\.layer_norm_self\.", r"\1.self_attn.norm."),
    (r"^(spatial_perceiver\.layers\.\d+)\.cross_attention\.", r"\1.attn."),
    (r"^(spatial_perceiver\.layers\.\d+)\.self_attention\.", r"\1.self_attn."),
    (r"^(spatial_perceiver\.layers\.\d+)\.(self_)?mlp\.layer_norm\.", r"\1.\2ff.0."),
    (r"^(spatial_perceiver\.layers\.\d+)\.(self_)?mlp\.up_proj\.", r"\1.\2ff.1."),
    (r"^(spatial_perceiver\.layers\.\d+)\.(self_)?mlp\.down_proj\.", r"\1.\2ff.3."),
    (r"^(spatial_perceiver\..*)\.q_proj\.", r"\1.to_q."),
    (r"^(spatial_perceiver\..*)\.o_proj\.", r"\1.to_out."),
)
_PATTERNS = tuple((re.compile(pattern), replacement) for pattern, replacement in _RULES)
# Keys and values have one layer at Meta, keys first.
_KEYS = re.compile(r"^(spatial_perceiver\..*)\.k_proj\.weight$")


def with_meta_names(stored: Mapping[str, Tensor], path: object) -> dict[str, Tensor]:
    """Return the tensors of a network of Hugging Face by Meta's names, in Meta's shapes.

    Args:
        stored: by the names of Hugging Face.
        path: of the checkpoint, for messages.

    Raises:
        ModelError: two tensors are one at Meta, and differ or do not fit together.
    """
    named: dict[str, Tensor] = {}
    for key, tensor in stored.items():
        name = key
        for pattern, replacement in _PATTERNS:
            name = pattern.sub(replacement, name)
        named[name] = tensor
    for key in list(named):
        found, other = _KEYS.match(key), key.replace(".k_proj.", ".v_proj.")
        if found and other in named:
            keys, values = named.pop(key), named.pop(other)
            if keys.dim() != 2 or keys.shape != values.shape:
                raise ModelError(
                    f"{printable(path)}: {printable(key)} is {list(keys.shape)} and "
                    f"{printable(other)} {list(values.shape)}; they must be alike; {COPY_AGAIN}"
                )
            named[f"{found[1]}.to_kv.weight"] = torch.cat([keys, values])
    return sam2_keys.with_meta_names(named, path)
