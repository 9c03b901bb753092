"""A network for inference: it computes the same with less work."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sam2lite.models.sam2.hiera import Attention
from sam2lite.models.sam2.image_encoder import Lateral, Neck
from sam2lite.models.sam2.memory_attention import Keys, RotaryAttention, Rotations
from sam2lite.models.sam2.network import SlotBankNetwork
from sam2lite.models.sam2.positions import Rotation

# Scores of this many queries and keys are held at a time: what a processor's caches take, and far
# less than the 470 MB that 4096 queries and 7 frames of memory would.
_MOST_SCORES = 1 << 22


N = TypeVar("N", bound=SlotBankNetwork)


def fused(network: N) -> N:
    """Return a copy of a network for inference.

    Convolutions that follow one another without anything between are one, scales are in weights,
    and memory attention reads memory as it is: values are projected after the softmax, whose rows
    sum to 1, and that projection and the one for the output are one. Parts of the copy do not have
    a checkpoint's names any more.
    """
    made = copy.deepcopy(network).eval().requires_grad_(False)
    made.for_inference = True
    for module in made.modules():
        if isinstance(module, Attention):
            _take_apart(module)
    for layer in made.memory_attention.layers:
        for name in ("self_attn", "cross_attn_image"):
            attention = getattr(layer, name)
            assert isinstance(attention, RotaryAttention)
            setattr(layer, name, FoldedAttention(attention))
    if made.config.layout.high_res:
        _merge_laterals(made)
    return made


def _merge_laterals(network: SlotBankNetwork) -> None:
    """Let the neck give the fine maps as the decoder takes them."""
    decoder, neck = network.sam_mask_decoder, network.image_encoder.neck
    assert isinstance(neck, Neck)
    # Its convolutions are there from the coarsest map to the finest.
    for lateral, last in ((neck.convs[-2], "conv_s1"), (neck.convs[-1], "conv_s0")):
        assert isinstance(lateral, Lateral)
        lateral.conv = _one_convolution(lateral.conv, getattr(decoder, last))
        setattr(decoder, last, nn.Identity())
    for index, lateral in enumerate(neck.convs):
        assert isinstance(lateral, Lateral)
        neck.convs[index] = TokenLateral(lateral)


class TokenLateral(nn.Module):
    """`Lateral` as a linear layer: the trunk has tokens, which need no turning round for it."""

    def __init__(self, lateral: Lateral) -> None:
        super().__init__()
        convolution = lateral.conv
        assert convolution.bias is not None
        self.conv = nn.Linear(convolution.in_channels, convolution.out_channels)
        with torch.no_grad():
            self.conv.weight.copy_(convolution.weight[..., 0, 0])
            self.conv.bias.copy_(convolution.bias)
        self.requires_grad_(False)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """See `Lateral.forward`."""
        batch, _, height, width = (int(side) for side in x_bchw.shape)
        x_bnc: Tensor = self.conv(x_bchw.flatten(2).transpose(1, 2))
        return x_bnc.transpose(1, 2).reshape(batch, -1, height, width)


class FoldedAttention(nn.Module):
    """`RotaryAttention` that projects values last, some queries at a time.

    Channels of queries and keys are in another order, so that halves rotate instead of neighbours;
    their products are the same.
    """

    def __init__(self, attention: RotaryAttention) -> None:
        super().__init__()
        self.pooling = attention.pooling
        width = attention.q_proj.out_features
        order = torch.cat([torch.arange(0, width, 2), torch.arange(1, width, 2)])
        self.q_proj = _reordered(attention.q_proj, order, float(width**-0.5))
        self.k_proj = _reordered(attention.k_proj, order, 1.0)
        self.out_proj = _one_linear(attention.v_proj, attention.out_proj)

    def forward(
        self,
        query_bnc: Tensor,
        key_bkc: Tensor,
        value_bkc: Tensor,
        rotation: Rotations,
        frames: int = 1,
        bias_b1k: Tensor | None = None,
    ) -> Tensor:
        """See `RotaryAttention.forward`."""
        query_bnc, key_bkc, value_bkc, bias_b1k = self.compared(
            query_bnc, key_bkc, value_bkc, rotation, frames, bias_b1k
        )
        # Two axes: of three with a bias, ONNX Runtime makes a product and a sum.
        query_nc, key_kc, value_kc = (_rows(x) for x in (query_bnc, key_bkc, value_bkc))
        bias_k = None if bias_b1k is None else bias_b1k.reshape(-1)
        queries, keys = int(query_nc.shape[0]), int(key_kc.shape[0])
        step = max(1, min(queries, _MOST_SCORES // keys))
        seen = [
            torch.softmax(F.linear(some, key_kc, bias_k), dim=-1) @ value_kc
            for some in torch.split(query_nc, step)
        ]
        result: Tensor = self.out_proj(torch.cat(seen)[None])
        return result

    def compared(
        self,
        query_bnc: Tensor,
        key_bkc: Tensor,
        value_bkc: Tensor,
        rotation: Rotations,
        frames: int,
        bias_b1k: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return queries, keys, values and bias, as `RotaryAttention.forward` puts them together.

        Values are not projected: averaging them before or after is the same.
        """
        query_bnc, key_bkc = self.rotated(query_bnc, key_bkc, rotation, frames)
        if self.pooling is None or bias_b1k is None:
            return query_bnc, key_bkc, value_bkc, bias_b1k
        given = Keys(key_bkc, value_bkc, bias_b1k)
        return query_bnc, *self.pooling(given, rotation.grid, frames)

    def rotated(
        self, query_bnc: Tensor, key_bkc: Tensor, rotation: Rotations, frames: int
    ) -> tuple[Tensor, Tensor]:
        """Return queries `[1, N, 256]` and keys `[1, K, 256]`, projected and rotated.

        One frame's rotation is broadcast over all frames in the keys: repeated for each of them,
        the rotations of ten frames of 512 px are half as large as all weights.
        """
        query_bnc = turned(self.q_proj(query_bnc), rotation.query)
        key_bkc = self.k_proj(key_bkc)
        tokens, channels = int(rotation.key[0].shape[0]), int(key_bkc.shape[2])
        placed = frames * tokens
        placed_bkc, others_bkc = key_bkc[:, :placed], key_bkc[:, placed:]
        turned_fnc = turned(placed_bkc.reshape(frames, tokens, channels), rotation.key)
        turned_bkc = turned_fnc.reshape(1, placed, channels)
        if placed == int(key_bkc.shape[1]):
            return query_bnc, turned_bkc
        return query_bnc, torch.cat([turned_bkc, others_bkc], dim=1)


def turned(x_fnc: Tensor, rotation: Rotation) -> Tensor:
    """Rotate pairs that are half the channels apart, of one frame or several.

    Args:
        x_fnc: `[F, N, C]`.
        rotation: of a frame; see `memory_attention.rotated`.
    """
    cosine, sine = rotation
    first, second = torch.split(x_fnc, x_fnc.shape[2] // 2, dim=2)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=2)


def _rows(x_bnc: Tensor) -> Tensor:
    return x_bnc.reshape(x_bnc.shape[1], x_bnc.shape[2])


def _take_apart(attention: Attention) -> None:
    """Give queries, keys and values a layer each, that of queries with the scale in it.

    A graph would write what one layer gives, and then all of it once more in three parts.
    """
    assert isinstance(attention.qkv, nn.Linear)
    width = attention.proj.in_features
    rows = torch.split(torch.arange(3 * width), width)
    layers = [
        _reordered(attention.qkv, part, attention.scale if index == 0 else 1.0)
        for index, part in enumerate(rows)
    ]
    attention.qkv, attention.scale = nn.ModuleList(layers), 1.0


def _reordered(linear: nn.Linear, order: Tensor, scale: float) -> nn.Linear:
    """Return a layer with some rows of another's, in an order, scaled."""
    made = nn.Linear(linear.in_features, len(order))
    with torch.no_grad():
        made.weight.copy_(linear.weight[order] * scale)
        made.bias.copy_(linear.bias[order] * scale)
    return made.requires_grad_(False)


def _one_linear(first: nn.Linear, then: nn.Linear) -> nn.Linear:
    made = nn.Linear(first.in_features, then.out_features)
    with torch.no_grad():
        weight = then.weight.double() @ first.weight.double()
        made.weight.copy_(weight)
        made.bias.copy_(then.weight.double() @ first.bias.double() + then.bias.double())
    return made.requires_grad_(False)


def _one_convolution(first: nn.Conv2d, then: nn.Conv2d) -> nn.Conv2d:
    """Return what two convolutions of 1 x 1 cells do one after the other."""
    assert first.bias is not None
    assert then.bias is not None
    made = nn.Conv2d(first.in_channels, then.out_channels, 1)
    assert made.bias is not None
    weight = then.weight[..., 0, 0].double()
    with torch.no_grad():
        made.weight[..., 0, 0] = (weight @ first.weight[..., 0, 0].double()).float()
        made.bias.copy_(weight @ first.bias.double() + then.bias.double())
    return made.requires_grad_(False)
