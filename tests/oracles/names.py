"""From the names of tensors in Meta's checkpoints to those of Hugging Face, for tests alone."""

from __future__ import annotations

import re

import torch
from torch import Tensor

_FOURIER = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_POINTS = "sam_prompt_encoder.point_embeddings."

# In order; each is tried on what those before it made.
_RULES = [
    # roots
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    # trunk
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"(backbone\.blocks\.\d+\.)norm(\d)\.", r"\1layer_norm\2."),
    (r"(backbone\.blocks\.\d+\.)mlp\.layers\.0\.", r"\1mlp.proj_in."),
    (r"(backbone\.blocks\.\d+\.)mlp\.layers\.1\.", r"\1mlp.proj_out."),
    # MLPs of two layers, then of three
    (r"(transformer\.layers\.\d\.)mlp\.layers\.0\.", r"\1mlp.proj_in."),
    (r"(transformer\.layers\.\d\.)mlp\.layers\.1\.", r"\1mlp.proj_out."),
    (r"(mlps\.\d|_head|pointer_proj)\.layers\.0\.", r"\1.proj_in."),
    (r"(mlps\.\d|_head|pointer_proj)\.layers\.2\.", r"\1.proj_out."),
    (r"(mlps\.\d|_head|pointer_proj)\.layers\.1\.", r"\1.layers.0."),
    # memory encoder
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"\.fuser\.", ".memory_fuser."),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
    (r"\.gamma$", ".scale"),
    (r"(memory_fuser\.layers\.\d\.)norm\.", r"\1layer_norm."),
    # prompts and masks
    (r"mask_downscaling\.0\.", "mask_embed.conv1."),
    (r"mask_downscaling\.1\.", "mask_embed.layer_norm1."),
    (r"mask_downscaling\.3\.", "mask_embed.conv2."),
    (r"mask_downscaling\.4\.", "mask_embed.layer_norm2."),
    (r"mask_downscaling\.6\.", "mask_embed.conv3."),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    # transformers
    (r"norm_final_attn\.", "layer_norm_final_attn."),
    (r"(layers\.\d\.)norm(\d)\.", r"\1layer_norm\2."),
    (r"^memory_attention\.norm\.", "memory_attention.layer_norm."),
    (r"\.out_proj\.", ".o_proj."),
]


def hugging_face_name(name: str) -> str:
    """Return the name of a tensor in a folder of Hugging Face."""
    found = re.match(r"memory_encoder\.mask_downsampler\.encoder\.(\d+)\.(\w+)$", name)
    if found:
        place, kind = int(found[1]), found[2]
        layer = f"layers.{place // 3}." + ("conv", "layer_norm")[place % 3]
        return f"memory_encoder.mask_downsampler.{'final_conv' if place == 12 else layer}.{kind}"
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    return name


def hugging_face_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a network under their names in a folder of Hugging Face."""
    found = {
        hugging_face_name(name): tensor
        for name, tensor in state.items()
        if name != _FOURIER and not name.startswith(_POINTS)
    }
    points = [state[f"{_POINTS}{label}.weight"] for label in range(4)]
    found["prompt_encoder.point_embed.weight"] = torch.cat(points)
    for owner in ("shared_image_embedding", "prompt_encoder.shared_embedding"):
        found[f"{owner}.positional_embedding"] = state[_FOURIER]
    return found
