"""From the names that Hugging Face has for the tensors of SAM 2 to Meta's: a table of rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import COPY_AGAIN

_GAUSSIAN = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
_POINTS = "prompt_encoder.point_embed.weight"  # one table there, a table a label at Meta
_DEEP = r"(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d+|obj_ptr_proj)"
_MASK_STAGES = 4  # of the memory encoder's mask path: a convolution, a norm, an activation each

# Every rule is applied, one after the other, so that what is special comes before what is general.
_RULES: tuple[tuple[str, str], ...] = (
    # The parts.
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."),
    (r"^vision_encoder\.neck\.convs\.(\d+)\.", r"image_encoder.neck.convs.\1.conv."),
    (r"^(prompt_encoder\.shared|shared_image)_embedding\.positional_embedding$", _GAUSSIAN),
    (r"^prompt_encoder\.", "sam_prompt_encoder."),
    (r"^mask_decoder\.", "sam_mask_decoder."),
    (r"^object_pointer_proj\.", "obj_ptr_proj."),
    (r"^temporal_positional_encoding_projection_layer\.", "obj_ptr_tpos_proj."),
    (r"^memory_temporal_positional_encoding$", "maskmem_tpos_enc"),
    (r"^no_memory_embedding$", "no_mem_embed"),
    (r"^no_memory_positional_encoding$", "no_mem_pos_enc"),
    (r"^no_object_pointer$", "no_obj_ptr"),
    (r"^occlusion_spatial_embedding_parameter$", "no_obj_embed_spatial"),
    # Layers that have a number at Meta.
    (r"\bmask_embed\.conv1\.", "mask_downscaling.0."),
    (r"\bmask_embed\.layer_norm1\.", "mask_downscaling.1."),
    (r"\bmask_embed\.conv2\.", "mask_downscaling.3."),
    (r"\bmask_embed\.layer_norm2\.", "mask_downscaling.4."),
    (r"\bmask_embed\.conv3\.", "mask_downscaling.6."),
    (r"\bupscale_conv1\.", "output_upscaling.0."),
    (r"\bupscale_layer_norm\.", "output_upscaling.1."),
    (r"\bupscale_conv2\.", "output_upscaling.3."),
    *(
        (rf"\bmask_downsampler\.layers\.{stage}\.{layer}\.", f"mask_downsampler.encoder.{place}.")
        for stage in range(_MASK_STAGES)
        for layer, place in (("conv", 3 * stage), ("layer_norm", 3 * stage + 1))
    ),
    (r"\bmask_downsampler\.final_conv\.", f"mask_downsampler.encoder.{3 * _MASK_STAGES}."),
    # MLPs: those of three layers, then the first and the last of two.
    (rf"\b{_DEEP}\.layers\.0\.", r"\1.layers.1."),
    (rf"\b{_DEEP}\.proj_out\.", r"\1.layers.2."),
    (r"\.proj_in\.", ".layers.0."),
    (r"\bmlp\.proj_out\.", "mlp.layers.1."),
    # Words.
    (r"\bpatch_embed\.projection\.", "patch_embed.proj."),
    (r"\bmemory_encoder\.projection\.", "memory_encoder.out_proj."),
    (r"\bmemory_encoder\.feature_projection\.", "memory_encoder.pix_feat_proj."),
    (r"\bmemory_fuser\.", "fuser."),
    (r"\bdepthwise_conv\.", "dwconv."),
    (r"\bpointwise_conv(\d)\.", r"pwconv\1."),
    (r"\.scale$", ".gamma"),
    (r"\.o_proj\.", ".out_proj."),
    (r"\blayer_norm", "norm"),
)
_PATTERNS = tuple((re.compile(pattern), replacement) for pattern, replacement in _RULES)


def is_huggingface(keys: Collection[str]) -> bool:
    """Return whether tensors have the names of Hugging Face."""
    return any(key.startswith("vision_encoder.") for key in keys)


def meta_name(name: str) -> str:
    """Return Meta's name for one of Hugging Face's; one that is not known stays as it is."""
    for pattern, replacement in _PATTERNS:
        name = pattern.sub(replacement, name)
    return name


def with_meta_names(stored: Mapping[str, Tensor], path: object) -> dict[str, Tensor]:
    """Return the tensors of a network of Hugging Face by Meta's names, in Meta's shapes.

    Args:
        stored: by the names of Hugging Face.
        path: of the checkpoint, for messages.

    Raises:
        ModelError: two tensors are one at Meta, and differ.
    """
    named: dict[str, Tensor] = {}
    for key, tensor in stored.items():
        if key == _POINTS and tensor.dim() == 2:
            rows = {
                f"sam_prompt_encoder.point_embeddings.{label}.weight": row[None]
                for label, row in enumerate(tensor)
            }
        else:
            rows = {meta_name(key): tensor}
        for name, row in rows.items():
            if name in named and not _same(named[name], row):
                raise ModelError(
                    f"{printable(path)} has {printable(name)} (by Meta's name) twice, with "
                    f"different numbers, the second time as {printable(key)}; {COPY_AGAIN}"
                )
            named[name] = row
    return named


def _same(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors are alike; of those without data, the shapes alone."""
    if one.is_meta or other.is_meta:
        return one.shape == other.shape
    return torch.equal(one, other)
