"""Networks of EfficientTAM with random weights whose objects come and go."""

from __future__ import annotations

import torch

from sam2lite.models.efficienttam.config import EfficientTamConfig, VitConfig, variants
from sam2lite.models.efficienttam.network import EfficientTam, build
from tests.oracles.telling_networks import made_telling

TRUNK = VitConfig(128, 3)  # two heads; two blocks within windows, one over everything
PLAIN, LOGIT_POOLED, KEY_POOLED, SMALL = variants(TRUNK).values()
# The rule of the published code by which a variant attends to several frames of memory.
RULES = {PLAIN.name: 0, LOGIT_POOLED.name: 1, KEY_POOLED.name: 2}

_SEED = 4
_SCORE_BIAS = -4.9  # of presence, so that objects are absent on some frames of the clip
# More of memory, and last bits of two exact loops are far apart after 24 frames.
_MEMORY_SHARE = 0.5


@torch.no_grad()
def telling_efficienttam(config: EfficientTamConfig) -> EfficientTam:
    """Return a network of a variant with weights that all variants have."""
    network = made_telling(build(config, _SEED), _SCORE_BIAS)
    for name, parameter in network.named_parameters():
        if name.endswith("cross_attn_image.out_proj.weight"):
            parameter.mul_(_MEMORY_SHARE)
    return network
