"""A network for inference: batch norms are in the convolutions before or behind them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import nn

from sam2lite.models.backbones.network import BackboneNetwork, ImageEncoder
from sam2lite.models.backbones.trunks.casvit import AdditiveAttention
from sam2lite.models.backbones.trunks.casvit_joined import JoinedAttention
from sam2lite.models.layers.batch_norm import BatchNorm, Fold
from sam2lite.models.sam2.fused import TokenLateral, fused
from sam2lite.models.sam2.image_encoder import Lateral


def folded(network: BackboneNetwork) -> BackboneNetwork:
    """Return a copy of a network for inference; see `sam2.fused`. No batch norm is left."""
    made = fused(network)
    encoder = made.image_encoder
    assert isinstance(encoder, ImageEncoder)
    # The trunk's maps are no tokens.
    for index, lateral in enumerate(encoder.neck.convs):
        if isinstance(lateral, TokenLateral):
            encoder.neck.convs[index] = _of_cells(lateral)
    for (conv, norm), fold in folds(encoder).items():
        encoder.set_submodule(conv, fold.convolution())
        encoder.set_submodule(norm, nn.Identity())
    for path, module in list(encoder.named_modules()):
        if isinstance(module, AdditiveAttention):
            encoder.set_submodule(path, JoinedAttention(module))
    return made


def folds(encoder: ImageEncoder) -> dict[tuple[str, str], Fold]:
    """Return all batch norms and what they go into, by the paths of convolution and batch norm."""
    pairs: list[tuple[str, str, bool]] = []
    for path, module in encoder.named_modules():
        within = f"{path}." if path else ""
        pairs += [(within + conv, within + norm, False) for conv, norm in _normed(module)]
        prenormed = getattr(module, "prenormed", ())
        pairs += [(within + conv, within + norm, True) for conv, norm in prenormed]
    # The neck's convolutions are there from the coarsest map to the finest.
    coarsest = len(encoder.neck.convs) - 1
    for index, norm in enumerate(getattr(encoder.trunk, "output_norms", ())):
        pairs.append((f"neck.convs.{coarsest - index}.conv", f"trunk.{norm}", True))
    return {(conv, norm): _fold(encoder, conv, norm, before) for conv, norm, before in pairs}


def _normed(module: nn.Module) -> Iterable[tuple[str, str]]:
    """Return convolutions of a module with the batch norms that follow them, by name."""
    pairs = list(getattr(module, "normed", ()))
    if isinstance(module, nn.Sequential):
        for (conv, first), (norm, then) in pairwise(module.named_children()):
            if isinstance(first, nn.Conv2d) and isinstance(then, BatchNorm):
                pairs.append((conv, norm))
    return pairs


def _fold(encoder: ImageEncoder, conv: str, norm: str, before: bool) -> Fold:
    convolution, batch_norm = encoder.get_submodule(conv), encoder.get_submodule(norm)
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(batch_norm, BatchNorm)
    return Fold(convolution, batch_norm, before)


def _of_cells(tokens: TokenLateral) -> Lateral:
    linear = tokens.conv
    made = Lateral(linear.in_features)
    made.conv = nn.Conv2d(linear.in_features, linear.out_features, 1)
    with torch.no_grad():
        made.conv.load_state_dict({"weight": linear.weight[..., None, None], "bias": linear.bias})
    return made.requires_grad_(False)
