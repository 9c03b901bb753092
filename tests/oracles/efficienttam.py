"""EfficientTAM's rules patched into Hugging Face's SAM 2 for videos, which has no class for it.

Written from its yaml files and its published code's behaviour, apart from what the package has.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.models.sam2_video.modeling_sam2_video import (
    Sam2VideoRoPEAttention,
    apply_rotary_pos_emb_2d,
)

from sam2lite.models.sam2.config import HieraConfig, Sam2Config
from tests.oracles.hugging_face import MetaLikeModel, hugging_face_config, prepared
from tests.oracles.names import hugging_face_state

State = dict[str, Tensor]
_EPSILON = 1e-6
_WINDOW = 14
_HEAD_CHANNELS = 64
# Of the trunk that Hugging Face's class cannot be built without; nothing runs it.
_IDLE = Sam2Config("idle", HieraConfig(8, 1, (1, 1, 1, 1), (8, 4, 2, 1), ()), False, False)


def encoded(state: State, image_bchw: Tensor) -> Tensor:
    """Return the image encoder's map, `[1, 256, H / 16, W / 16]`.

    Args:
        state: weights by the published names.
        image_bchw: normalised.
    """

    def part(name: str) -> Tensor:
        return state[f"image_encoder.{name}"]

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, part(f"{name}.weight"), part(f"{name}.bias"))

    def norm(x: Tensor, name: str) -> Tensor:
        weight, bias = part(f"{name}.weight"), part(f"{name}.bias")
        return F.layer_norm(x, weight.shape, weight, bias, _EPSILON)

    def norm_2d(x: Tensor, name: str) -> Tensor:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        scaled = (x - mean) / torch.sqrt(variance + _EPSILON)
        weight, bias = part(f"{name}.weight"), part(f"{name}.bias")
        return scaled * weight[:, None, None] + bias[:, None, None]

    def attention(x_bhwc: Tensor, name: str) -> Tensor:
        batch, height, width, channels = x_bhwc.shape
        heads = channels // _HEAD_CHANNELS
        rows = linear(x_bhwc, f"{name}.qkv").reshape(batch, height * width, 3, heads, -1)
        query, key, value = rows.permute(2, 0, 3, 1, 4).unbind(0)
        seen = F.scaled_dot_product_attention(query, key, value)
        return linear(seen.transpose(1, 2).reshape(x_bhwc.shape), f"{name}.proj")

    def windowed(x_bhwc: Tensor, name: str) -> Tensor:
        height, width = x_bhwc.shape[1:3]
        below, right = -height % _WINDOW, -width % _WINDOW
        padded = F.pad(x_bhwc, (0, 0, 0, right, 0, below))
        out = torch.empty_like(padded)
        for top in range(0, height + below, _WINDOW):
            for left in range(0, width + right, _WINDOW):
                here = slice(top, top + _WINDOW), slice(left, left + _WINDOW)
                out[:, here[0], here[1]] = attention(padded[:, here[0], here[1]], name)
        return out[:, :height, :width]

    patches = F.conv2d(
        image_bchw, part("trunk.patch_embed.proj.weight"), part("trunk.patch_embed.proj.bias"), 16
    )
    table = part("trunk.pos_embed")[:, 1:].reshape(1, 14, 14, -1).permute(0, 3, 1, 2)
    table = F.interpolate(table, size=patches.shape[2:], mode="bicubic", align_corners=False)
    x = (patches + table).permute(0, 2, 3, 1)
    depth = len({name.split(".")[3] for name in state if ".trunk.blocks." in name})
    for block in range(depth):
        here = f"trunk.blocks.{block}"
        attend = attention if block % 3 == 2 else windowed
        x = x + attend(norm(x, f"{here}.norm1"), f"{here}.attn")
        inner = F.gelu(linear(norm(x, f"{here}.norm2"), f"{here}.mlp.layers.0"))
        x = x + linear(inner, f"{here}.mlp.layers.1")
    neck = "neck.convs.0"
    x = norm_2d(F.conv2d(x.permute(0, 3, 1, 2), part(f"{neck}.conv_1x1.weight")), f"{neck}.norm_0")
    x = F.conv2d(x, part(f"{neck}.conv_3x3.weight"), padding=1)
    return norm_2d(x, f"{neck}.norm_1")


class PooledAttention(Sam2VideoRoPEAttention):
    """Attention to memory that is averaged over 2 x 2 cells from the second frame on."""

    rule = 0  # 1: the weight is added to scores, 2: to every channel of a key

    def forward(  # type: ignore[override]  # it returns a pair, whatever it says
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        num_k_exclude_rope: int = 0,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        q, k, v = (
            layer(x).flatten(0, 1)[:, None]
            for layer, x in ((self.q_proj, query), (self.k_proj, key), (self.v_proj, value))
        )
        q, k = apply_rotary_pos_emb_2d(
            q,
            k,
            *position_embeddings,
            repeat_freqs_k=True,
            num_k_exclude_rope=num_k_exclude_rope,
        )
        placed, cells = k.shape[2] - num_k_exclude_rope, q.shape[2]
        bias = torch.zeros(1)
        if self.rule and placed > cells:
            side = math.isqrt(cells)

            def pooled(x: Tensor) -> Tensor:
                grids = x[0, 0, :placed].reshape(placed // cells, side, side, -1)
                return F.avg_pool2d(grids.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1).flatten(0, 2)

            weight = 2 * math.log(2)
            few_k, few_v = pooled(k), pooled(v)
            few_k = few_k + weight if self.rule == 2 else few_k
            k = torch.cat([few_k, k[0, 0, placed:]])[None, None]
            v = torch.cat([few_v, v[0, 0, placed:]])[None, None]
            bias = torch.zeros(k.shape[2])
            bias[: len(few_k)] = weight if self.rule == 1 else 0.0
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3]) + bias
        return self.o_proj(torch.softmax(scores, dim=-1) @ v), None


class EfficientTamModel(MetaLikeModel):
    """Hugging Face's loop by Meta's rules, with EfficientTAM's encoder and attention to memory."""

    weights: State

    def encoded(self, frame: Tensor) -> dict[str, Any]:
        if id(frame) not in self._encoded:
            map_bchw = encoded(self.weights, prepared(frame))
            side = map_bchw.shape[-1]
            # Masks are decoded from nothing but this map: finer ones that add nothing.
            maps = [torch.zeros(1, 32, 4 * side, 4 * side), torch.zeros(1, 64, 2 * side, 2 * side)]
            maps.append(map_bchw)
            position = self.vision_encoder.neck.position_encoding(
                map_bchw.shape, map_bchw.device, map_bchw.dtype
            )
            positions = [*maps[:2], position]
            kept = {
                "vision_feats": [each.flatten(2).permute(2, 0, 1) for each in maps],
                "vision_pos_embeds": [each.flatten(2).permute(2, 0, 1) for each in positions],
            }
            self._encoded[id(frame)] = frame, kept
        return self._encoded[id(frame)][1]


def efficienttam_model(state: State, rule: int, size: int) -> EfficientTamModel:
    """Return the model with weights, for one input side, px.

    Args:
        state: by the published names.
        rule: of pooled memory, 1 or 2; 0 where it is not pooled.
        size: px, with an even number of cells a side.
    """
    config = hugging_face_config(_IDLE, size)
    model = EfficientTamModel(config).eval().requires_grad_(False)
    for layer in model.memory_attention.layers:
        attention = PooledAttention(config, kv_in_dim=64, rope_k_repeat=True)
        attention.rule = rule
        layer.cross_attn_image = attention.eval().requires_grad_(False)
    others = {n: tensor for n, tensor in state.items() if not n.startswith("image_encoder.")}
    found = model.load_state_dict(hugging_face_state(others), strict=False)
    idle = ("vision_encoder.", "mask_decoder.conv_s")
    assert not found.unexpected_keys
    assert all(name.startswith(idle) for name in found.missing_keys)
    model.weights = state
    return model
