"""EfficientTAM's own predictor, where its package `efficient_track_anything` is installed."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from tests.oracles import meta_parts

State = dict[str, Tensor]
_CLASSES = ("RoPEAttention", "EfficientRoPEAttention1", "EfficientRoPEAttention2")


def published_predictor(state: State, rule: int, size: int, corrections: str) -> Any:
    """Return the predictor with weights, as its yaml files and its own function build it.

    Args:
        state: by the published names.
        rule: of pooled memory, 1 or 2; 0 where it is not pooled.
        size: input side, px.
        corrections: `conditioning` or `in-place`.
    """
    from efficient_track_anything.efficienttam_video_predictor import EfficientTAMVideoPredictor
    from efficient_track_anything.modeling import (
        memory_attention,
        memory_encoder,
        position_encoding,
    )
    from efficient_track_anything.modeling.backbones.image_encoder import ImageEncoder, ViTDetNeck
    from efficient_track_anything.modeling.backbones.vitdet import ViT
    from efficient_track_anything.modeling.sam import transformer

    width = state["image_encoder.trunk.pos_embed"].shape[2]
    depth = len({name.split(".")[3] for name in state if ".trunk.blocks." in name})
    trunk = ViT(
        patch_size=16,
        embed_dim=width,
        depth=depth,
        num_heads=width // 64,
        window_size=14,
        window_block_indexes=[block for block in range(depth) if block % 3 < 2],
    )
    neck = ViTDetNeck(position_encoding.PositionEmbeddingSine(256), 256, [width], neck_norm="LN")
    predictor = EfficientTAMVideoPredictor(
        image_encoder=ImageEncoder(trunk, neck, scalp=0),
        memory_attention=meta_parts.memory_attention(
            memory_attention, transformer, size, _CLASSES[rule]
        ),
        memory_encoder=meta_parts.memory_encoder(memory_encoder, position_encoding),
        image_size=size,
        add_tpos_enc_to_obj_ptrs=False,
        add_all_frames_to_correct_as_cond=corrections == "conditioning",
        **meta_parts.OPTIONS,
    )
    predictor.load_state_dict(state)
    return predictor.eval()
