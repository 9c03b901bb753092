"""What the predictors of SAM 2 and of networks made from its code have in common."""

from __future__ import annotations

from types import ModuleType
from typing import Any

OPTIONS: dict[str, Any] = {
    "sigmoid_scale_for_mem_enc": 20.0,
    "sigmoid_bias_for_mem_enc": -10.0,
    "binarize_mask_from_pts_for_mem_enc": True,
    "use_mask_input_as_output_without_sam": True,
    "directly_add_no_mem_embed": True,
    "multimask_output_in_sam": True,
    "multimask_min_pt_num": 0,
    "multimask_max_pt_num": 1,
    "multimask_output_for_tracking": True,
    "use_multimask_token_for_obj_ptr": True,
    "iou_prediction_use_sigmoid": True,
    "use_obj_ptrs_in_encoder": True,
    "only_obj_ptrs_in_the_past_for_eval": True,
    "pred_obj_scores": True,
    "pred_obj_scores_mlp": True,
    "fixed_no_obj_ptr": True,
    "use_mlp_for_obj_ptr_proj": True,
    "sam_mask_decoder_extra_args": {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    },
}


def memory_attention(
    module: ModuleType, transformer: ModuleType, size: int, cross: str = "RoPEAttention"
) -> Any:
    """Return attention to memory, of four layers.

    Args:
        module: a package's `memory_attention`.
        transformer: its `sam.transformer`.
        size: input side, px.
        cross: the class there that attends to memory.
    """
    common = {
        "feat_sizes": (size // 16, size // 16),
        "embedding_dim": 256,
        "num_heads": 1,
        "downsample_rate": 1,
        "dropout": 0.1,
    }
    layer = module.MemoryAttentionLayer(
        activation="relu",
        cross_attention=getattr(transformer, cross)(rope_k_repeat=True, kv_in_dim=64, **common),
        d_model=256,
        dim_feedforward=2048,
        dropout=0.1,
        pos_enc_at_attn=False,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        self_attention=transformer.RoPEAttention(**common),
    )
    return module.MemoryAttention(256, True, layer, 4)


def memory_encoder(module: ModuleType, positions: ModuleType) -> Any:
    """Return the memory encoder.

    Args:
        module: a package's `memory_encoder`.
        positions: its `position_encoding`.
    """
    return module.MemoryEncoder(
        out_dim=64,
        mask_downsampler=module.MaskDownSampler(kernel_size=3, stride=2, padding=1),
        fuser=module.Fuser(module.CXBlock(256), num_layers=2),
        position_encoding=positions.PositionEmbeddingSine(num_pos_feats=64),
    )
