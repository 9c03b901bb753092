"""EfficientTAM's own predictor, where its package `efficient_track_anything` is installed."""

from __future__ import annotations

from typing import Any

from torch import Tensor

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
    from efficient_track_anything.modeling import memory_attention, memory_encoder
    from efficient_track_anything.modeling.backbones.image_encoder import ImageEncoder, ViTDetNeck
    from efficient_track_anything.modeling.backbones.vitdet import ViT
    from efficient_track_anything.modeling.position_encoding import PositionEmbeddingSine
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
    neck = ViTDetNeck(PositionEmbeddingSine(256), 256, [width], neck_norm="LN")
    common = {
        "feat_sizes": (size // 16, size // 16),
        "embedding_dim": 256,
        "num_heads": 1,
        "downsample_rate": 1,
        "dropout": 0.1,
    }
    cross = getattr(transformer, _CLASSES[rule])
    layer = memory_attention.MemoryAttentionLayer(
        activation="relu",
        cross_attention=cross(rope_k_repeat=True, kv_in_dim=64, **common),
        d_model=256,
        dim_feedforward=2048,
        dropout=0.1,
        pos_enc_at_attn=False,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        self_attention=transformer.RoPEAttention(**common),
    )
    predictor = EfficientTAMVideoPredictor(
        image_encoder=ImageEncoder(trunk, neck, scalp=0),
        memory_attention=memory_attention.MemoryAttention(256, True, layer, 4),
        memory_encoder=memory_encoder.MemoryEncoder(
            out_dim=64,
            mask_downsampler=memory_encoder.MaskDownSampler(kernel_size=3, stride=2, padding=1),
            fuser=memory_encoder.Fuser(memory_encoder.CXBlock(256), num_layers=2),
            position_encoding=PositionEmbeddingSine(64),
        ),
        image_size=size,
        sigmoid_scale_for_mem_enc=20.0,
        sigmoid_bias_for_mem_enc=-10.0,
        binarize_mask_from_pts_for_mem_enc=True,
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        multimask_output_in_sam=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        add_tpos_enc_to_obj_ptrs=False,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        multimask_output_for_tracking=True,
        use_multimask_token_for_obj_ptr=True,
        multimask_min_pt_num=0,
        multimask_max_pt_num=1,
        use_mlp_for_obj_ptr_proj=True,
        add_all_frames_to_correct_as_cond=corrections == "conditioning",
        sam_mask_decoder_extra_args={
            "dynamic_multimask_via_stability": True,
            "dynamic_multimask_stability_delta": 0.05,
            "dynamic_multimask_stability_thresh": 0.98,
        },
    )
    predictor.load_state_dict(state)
    return predictor.eval()
