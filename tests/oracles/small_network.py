"""A small network whose objects come and go."""

from __future__ import annotations

import torch

from sam2lite.models.sam2.config import HieraConfig, Sam2Config
from sam2lite.models.sam2.network import Sam2, build

# All that the published ones have: pooled queries, padded windows, global blocks, four stages.
CONFIG = Sam2Config("oracle", HieraConfig(32, 1, (1, 2, 3, 2), (8, 4, 7, 3), (4, 7)))
SEED = 6
_SCORE_BIAS = 3.7  # of presence, so that objects are absent on some frames of the clip


@torch.no_grad()
def small_network(seed: int = SEED, score_bias: float = _SCORE_BIAS) -> Sam2:
    """Return a network with random weights to which memory matters, and which sees absence.

    Args:
        seed: of the weights.
        score_bias: of the presence head's last layer.
    """
    network = build(CONFIG, seed)
    for layer in network.memory_attention.layers:
        layer.cross_attn_image.q_proj.weight *= 2.0
        layer.cross_attn_image.k_proj.weight *= 2.0
        layer.cross_attn_image.out_proj.weight *= 2.0
    decoder = network.sam_mask_decoder
    decoder.iou_prediction_head.layers[-1].weight *= 3.0
    decoder.pred_obj_score_head.layers[-1].weight *= 8.0
    decoder.pred_obj_score_head.layers[-1].bias.fill_(score_bias)
    for mlp in decoder.output_hypernetworks_mlps:
        mlp.layers[-1].weight *= 0.25
        mlp.layers[-1].bias *= 0.25
    return network
