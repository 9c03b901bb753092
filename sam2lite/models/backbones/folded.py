"""A network for inference: batch norms are in the convolutions before or behind them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import nn

from sam2lite.models.backbones.batch_norm import BatchNorm, with_norm_after, with_norm_before
from sam2lite.models.backbones.network import BackboneNetwork, ImageEncoder
from sam2lite.models.backbones.trunks.casvit import AdditiveAttention
from sam2lite.models.backbones.trunks.casvit_joined import JoinedAttention
from sam2lite.models.sam2.fused import TokenLateral, fused
from sam2lite.models.sam2.image_encoder import Lateral


def folded(network: BackboneNetwork) -> BackboneNetwork:
    """Return a copy of a network for inference; see `sam2.fused`. No batch norm is left."""
    made = fused(network)
    _fold(made.image_encoder.trunk)
    assert isinstance(made.image_encoder, ImageEncoder)
    _fold_laterals(made.image_encoder)
    return made


def _fold(module: nn.Module) -> None:
    for child in module.children():
        _fold(child)
    for conv, norm in _normed(module):
        made = with_norm_after(_conv(module, conv), _norm(module, norm))
        module.set_submodule(conv, made)
        module.set_submodule(norm, nn.Identity())
    for conv, norm in getattr(module, "prenormed", ()):
        made = with_norm_before(_conv(module, conv), _norm(module, norm))
        module.set_submodule(conv, made)
        module.set_submodule(norm, nn.Identity())
    for name, child in module.named_children():
        if isinstance(child, AdditiveAttention):
            module.set_submodule(name, JoinedAttention(child))


def _normed(module: nn.Module) -> Iterable[tuple[str, str]]:
    """Return convolutions of a module with the batch norms that follow them, by name."""
    pairs = list(getattr(module, "normed", ()))
    if isinstance(module, nn.Sequential):
        for (conv, first), (norm, then) in pairwise(module.named_children()):
            if isinstance(first, nn.Conv2d) and isinstance(then, BatchNorm):
                pairs.append((conv, norm))
    return pairs


def _fold_laterals(encoder: ImageEncoder) -> None:
    """Let convolutions take the trunk's maps, which are no tokens, before their batch norms."""
    norms = getattr(encoder.trunk, "output_norms", ())
    for index, lateral in enumerate(reversed(list(encoder.neck.convs))):  # finest first
        if isinstance(lateral, TokenLateral):
            lateral = _of_cells(lateral)
            encoder.neck.convs[len(encoder.neck.convs) - 1 - index] = lateral
        assert isinstance(lateral, Lateral)
        if norms:
            lateral.conv = with_norm_before(lateral.conv, _norm(encoder.trunk, norms[index]))
            encoder.trunk.set_submodule(norms[index], nn.Identity())


def _of_cells(tokens: TokenLateral) -> Lateral:
    linear = tokens.conv
    made = Lateral(linear.in_features)
    made.conv = nn.Conv2d(linear.in_features, linear.out_features, 1)
    with torch.no_grad():
        made.conv.load_state_dict({"weight": linear.weight[..., None, None], "bias": linear.bias})
    return made.requires_grad_(False)


def _conv(module: nn.Module, name: str) -> nn.Conv2d:
    found = module.get_submodule(name)
    assert isinstance(found, nn.Conv2d)
    return found


def _norm(module: nn.Module, name: str) -> BatchNorm:
    found = module.get_submodule(name)
    assert isinstance(found, BatchNorm)
    return found
