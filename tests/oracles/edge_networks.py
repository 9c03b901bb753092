"""EdgeTAM's networks with random weights, and the names of their tensors at Hugging Face."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor

from sam2lite.models.edgetam.config import EdgeTamConfig, RepVitConfig
from sam2lite.models.edgetam.network import EdgeTam, build
from sam2lite.runtimes.prompts import Prompt
from tests.oracles.names import hugging_face_state
from tests.oracles.scenarios import SIDE, Scenario
from tests.oracles.telling_networks import made_telling

EDGE_SIDE = 256  # px, the smallest input
# All that the published one has: every stage, blocks that excite and such that do not.
TRUNK = RepVitConfig((16, 32, 48, 64), (1, 2, 2, 1))
CONFIG = EdgeTamConfig("edgetam_16x6", TRUNK)
SEED = 5
CLIP_SEED = 3  # of a clip on which its objects come and go
_SCORE_BIAS = 0.05
_MASK_FACTOR = 8.0

_TRUNK = "image_encoder.trunk.body."
_PERCEIVER = "spatial_perceiver."
_RULES = [
    (r"\.attn\.norm_x\.", ".layer_norm_input."),
    (r"\.attn\.norm_latents\.", ".layer_norm_latents."),
    (r"\.self_attn\.norm\.", ".layer_norm_self."),
    (r"\.self_attn\.", ".self_attention."),
    (r"\.attn\.", ".cross_attention."),
    (r"\.to_q\.", ".q_proj."),
    (r"\.to_out\.", ".o_proj."),
    (r"ff\.0\.", "mlp.layer_norm."),
    (r"ff\.1\.", "mlp.up_proj."),
    (r"ff\.3\.", "mlp.down_proj."),
    (r"\.latents$", ".latents_1d"),
    (r"^spatial_perceiver\.norm\.", "spatial_perceiver.layer_norm."),
]


def small_edge_network(score_bias: float = _SCORE_BIAS, seed: int = SEED) -> EdgeTam:
    """Return the network that scenarios are followed with; its logits are a few units large."""
    network = made_telling(build(CONFIG, seed), score_bias)
    with torch.no_grad():
        for mlp in network.sam_mask_decoder.output_hypernetworks_mlps:
            for parameter in mlp.get_submodule("layers.2").parameters():
                parameter.mul_(_MASK_FACTOR)
    return network


def edge_hugging_face_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a network under their names in a folder of Hugging Face."""
    found: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith(_TRUNK):
            found[name.replace(_TRUNK, "vision_encoder.backbone.timm_model.")] = tensor
            if name.endswith(".running_var"):
                counter = name.replace(_TRUNK, "vision_encoder.backbone.timm_model.")
                found[counter.replace("running_var", "num_batches_tracked")] = torch.tensor(7)
        elif name.startswith(_PERCEIVER):
            for pattern, replacement in _RULES:
                name = re.sub(pattern, replacement, name)
            if ".to_kv." in name:
                keys, values = tensor.chunk(2)
                found[name.replace("to_kv", "k_proj")] = keys
                found[name.replace("to_kv", "v_proj")] = values
            else:
                found[name] = tensor
        else:
            name = re.sub(r"^(memory_attention\..*)\.linear1\.", r"\1.mlp.up_proj.", name)
            rest[re.sub(r"^(memory_attention\..*)\.linear2\.", r"\1.mlp.down_proj.", name)] = tensor
    return {**found, **hugging_face_state(rest)}


def at_edge_side(scenario: Scenario) -> Scenario:
    """Return a scenario with its prompts in frames of `EDGE_SIDE`."""
    steps = (
        step._replace(prompt=None if step.prompt is None else _enlarged(step.prompt))
        for step in scenario.steps
    )
    return scenario._replace(steps=tuple(steps))


def _enlarged(prompt: Prompt) -> Prompt:
    share, mask = EDGE_SIDE / SIDE, prompt.mask_hw
    if mask is not None:
        cells = (np.arange(EDGE_SIDE) / share).astype(int)
        mask = mask[np.ix_(cells, cells)]
    box = None if prompt.box_xyxy is None else share * prompt.box_xyxy
    points = share * prompt.points_xy if len(prompt.points_xy) else None
    return Prompt(points, prompt.labels if points is not None else None, box, mask)
