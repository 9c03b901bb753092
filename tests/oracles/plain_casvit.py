"""CAS-ViT's forward pass, written down from its paper and its tensors, without modules."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

_EPSILON = 1e-5


def plain_casvit(state: Mapping[str, Tensor], image: Tensor) -> list[Tensor]:
    """Return maps at strides 4, 8, 16 and 32.

    Args:
        state: tensors by their names within the trunk.
        image: normalised, `[B, 3, H, W]`.
    """
    x = torch.relu(_normed(state, "patch_embed.1", _conv(state, "patch_embed.0", image, 2)))
    x = torch.relu(_normed(state, "patch_embed.4", _conv(state, "patch_embed.3", x, 2)))
    maps = []
    for part in range(7):
        name = f"network.{part}"
        if part % 2:
            x = _normed(state, f"{name}.norm", _conv(state, f"{name}.proj", x, 2))
            continue
        index = 0
        while f"{name}.{index}.attn.qkv.weight" in state:
            x = _block(state, f"{name}.{index}", x)
            index += 1
        maps.append(_normed(state, f"norm{part}", x))
    return maps


def _block(state: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    local = f"{name}.local_perception.network"
    seen = _normed(state, f"{local}.1", _conv(state, f"{local}.0", x))
    seen = F.gelu(_conv(state, f"{local}.2", seen))
    x = x + _conv(state, f"{local}.4", seen)
    qkv = torch.einsum(
        "oi,bihw->bohw",
        state[f"{name}.attn.qkv.weight"][:, :, 0, 0],
        _normed(state, f"{name}.norm1", x),
    )
    third = qkv.shape[1] // 3
    query = _gated(state, f"{name}.attn.oper_q", qkv[:, :third])
    key = _gated(state, f"{name}.attn.oper_k", qkv[:, third : 2 * third])
    beside = _conv(state, f"{name}.attn.dwc", query + key)
    x = x + _conv(state, f"{name}.attn.proj", beside * qkv[:, 2 * third :])
    inner = F.gelu(_conv(state, f"{name}.mlp.fc1", _normed(state, f"{name}.norm2", x)))
    return x + _conv(state, f"{name}.mlp.fc2", inner)


def _gated(state: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    beside = _normed(state, f"{name}.0.block.1", _conv(state, f"{name}.0.block.0", x))
    cells = torch.sigmoid(_conv(state, f"{name}.0.block.3", torch.relu(beside)))
    assert cells.shape[1] == 1
    x = cells * x
    means = x.flatten(2).mean(2)
    shares = torch.sigmoid(means @ state[f"{name}.1.block.1.weight"][:, :, 0, 0].T)
    return x * shares[:, :, None, None]


def _conv(state: Mapping[str, Tensor], name: str, x: Tensor, stride: int = 1) -> Tensor:
    weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
    groups = x.shape[1] // weight.shape[1]
    return F.conv2d(x, weight, bias, stride, weight.shape[2] // 2, groups=groups)


def _normed(state: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean, var, weight, bias = (
        state[f"{name}.{kind}"][:, None, None]
        for kind in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + _EPSILON).sqrt() * weight + bias
