"""The graphs of a network, called with what there is: no slot, prompt or pointer is hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.contracts.families.sam2 import (
    EMBED_CHANNELS,
    FAMILY,
    IMAGE_ENCODER,
    MASK_DECODER,
    MASK_DOWNSAMPLE,
    MEMORY_ATTENTION,
    MEMORY_CHANNELS,
    MEMORY_ENCODER,
    POINTER_TOKENS,
)
from sam2lite.models.sam2.graphs import graph_module
from sam2lite.models.sam2.network import Sam2
from sam2lite.models.sam2.reference.choosing import Candidates
from sam2lite.models.sam2.reference.memory import Seen
from sam2lite.models.sam2.reference.prompting import Tokens


class Features(NamedTuple):
    """What `image_encoder` gives."""

    pix_feat: Tensor
    image_embed: Tensor
    high_res_feats_1: Tensor
    high_res_feats_0: Tensor


class NetworkCalls:
    """A network, in evaluation mode and without gradients."""

    def __init__(self, network: Sam2) -> None:
        network.eval()
        self._image_encoder = graph_module(network, IMAGE_ENCODER.name)
        # Any of them takes any number of slots.
        self._memory_attention = graph_module(network, MEMORY_ATTENTION[0].name)
        self._mask_downsample = graph_module(network, MASK_DOWNSAMPLE.name)
        self._mask_decoder = graph_module(network, MASK_DECODER.name)
        self._memory_encoder = graph_module(network, MEMORY_ENCODER.name)

    @torch.no_grad()
    def encode(self, image_bchw: Tensor) -> Features:
        """Return the features of a frame, RGB, uint8 `[1, 3, R, R]`."""
        return Features(*self._image_encoder(image_bchw))

    @torch.no_grad()
    def attend(self, pix_feat: Tensor, seen: Seen, look_back: int) -> Tensor:
        """Return a frame's features with what is seen, `[1, 256, H16, H16]`.

        Args:
            pix_feat: of the frame.
            seen: at least one frame; memory of another input size is resampled.
            look_back: frames that pointers are taken from.
        """
        side = int(pix_feat.shape[-1])
        memory = [_at_side(frame.features_bnc, side) for _, frame in seen.frames]
        pointers = [pointer_bc[:, None] for _, pointer_bc in seen.pointers]
        keys = len(memory) * side * side + len(pointers) * POINTER_TOKENS
        (found,) = self._memory_attention(
            pix_feat,
            torch.cat(memory, dim=1),
            torch.tensor([[row for row, _ in seen.frames]], dtype=torch.int32),
            torch.cat([torch.zeros(1, 0, EMBED_CHANNELS), *pointers], dim=1),
            torch.tensor([[ago for ago, _ in seen.pointers]]).float() / (look_back - 1),
            torch.zeros(1, 1, 1, keys),
        )
        result: Tensor = found
        return result

    @torch.no_grad()
    def decode(
        self, features: Features, image_embed: Tensor, tokens: Tokens, mask_b1hw: Tensor | None
    ) -> Candidates:
        """Return candidates.

        Args:
            features: of the frame.
            image_embed: what they are decoded from.
            tokens: of the prompt.
            mask_b1hw: logits to start from, `[1, 1, H4, H4]`.
        """
        height, width = features.high_res_feats_0.shape[2:]
        return Candidates(
            *self._mask_decoder(
                image_embed,
                features.high_res_feats_1,
                features.high_res_feats_0,
                tokens.xy_norm_bpc,
                tokens.label_bp,
                tokens.bias_b11p,
                torch.zeros(1, 1, height, width) if mask_b1hw is None else mask_b1hw,
                torch.full((1, 1, 1, 1), float(mask_b1hw is not None)),
            )
        )

    @torch.no_grad()
    def start_of(self, mask_b1hw: Tensor) -> Tensor:
        """Return the mask to start from of a user's mask at the input's size."""
        (found,) = self._mask_downsample(mask_b1hw)
        result: Tensor = found
        return result

    @torch.no_grad()
    def remember(
        self, pix_feat: Tensor, logits_b1hw: Tensor, score_b1: Tensor, prompted: bool
    ) -> Tensor:
        """Return the memory of a frame, `[1, N, 64]`.

        Args:
            pix_feat: of the frame.
            logits_b1hw: of the mask, at the input's size.
            score_b1: logit of presence.
            prompted: the mask counts as certain.
        """
        binarize = torch.full((1, 1, 1, 1), float(prompted))
        (found,) = self._memory_encoder(pix_feat, logits_b1hw, binarize, score_b1)
        result: Tensor = found
        return result


def enlarged(logits_hw: Tensor) -> Tensor:
    """Return logits at the masks' stride as those of the input's size, `[1, 1, R, R]`."""
    side = logits_hw.shape[-1] * FAMILY.mask_stride
    return F.interpolate(logits_hw[None, None], (side, side), mode="bilinear")


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Return whether every number is."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _at_side(features_bnc: Tensor, side: int) -> Tensor:
    """Return memory for another number of cells."""
    known = math.isqrt(features_bnc.shape[1])
    if known == side:
        return features_bnc
    grid_bchw = features_bnc.transpose(1, 2).reshape(1, MEMORY_CHANNELS, known, known)
    grid_bchw = F.interpolate(grid_bchw, (side, side), mode="bilinear")
    return grid_bchw.flatten(2).transpose(1, 2)
