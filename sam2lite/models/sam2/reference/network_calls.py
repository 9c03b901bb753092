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
    MEMORY_CHANNELS,
    MEMORY_ENCODER,
    POINTER_SLOTS,
    POINTER_TOKENS,
    PROMPT_TOKENS,
    SLOTS,
    attention_name,
)
from sam2lite.contracts.loop import LABEL_PAD, MASKED_BIAS
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
    """A network, in evaluation mode and without gradients.

    One that is fused is called as its graphs will be, empty slots and all: what is recorded of such
    calls is what graphs are fed. Every graph of memory attention then meets every number of frames
    that it holds, once at every input size, although the smallest one would do.
    """

    def __init__(self, network: Sam2) -> None:
        network.eval()
        self._image_encoder = graph_module(network, IMAGE_ENCODER.name)
        self._attention = {slots: graph_module(network, attention_name(slots)) for slots in SLOTS}
        self._mask_downsample = graph_module(network, MASK_DOWNSAMPLE.name)
        self._mask_decoder = graph_module(network, MASK_DECODER.name)
        self._memory_encoder = graph_module(network, MEMORY_ENCODER.name)
        self._as_exported = network.for_inference
        # Cells of a frame, slots of a graph, frames that it met.
        self._fed: set[tuple[int, int, int]] = set()

    @torch.no_grad()
    def encode(self, image_bchw: Tensor) -> Features:
        """Return the features of a frame, RGB, uint8 `[1, 3, H, W]`."""
        return Features(*self._image_encoder(image_bchw))

    @torch.no_grad()
    def attend(self, pix_feat: Tensor, seen: Seen, look_back: int) -> Tensor:
        """Return a frame's features with what is seen, `[1, 256, H16, W16]`.

        Args:
            pix_feat: of the frame.
            seen: at least one frame; memory of another input size is resampled.
            look_back: frames that pointers are taken from.
        """
        frames = len(seen.frames)
        if not self._as_exported:  # the modules are the same, and take any number
            (found,) = self._attention[SLOTS[0]](*_inputs(pix_feat, seen, look_back))
            exact: Tensor = found
            return exact
        result: Tensor | None = None
        for slots, module in self._attention.items():
            held = min(slots, frames)
            asked = result is None and slots >= frames
            meeting = int(pix_feat[0, 0].numel()), slots, held
            if asked or meeting not in self._fed:
                self._fed.add(meeting)
                part = seen._replace(frames=seen.frames[:held])
                (found,) = module(*_padded(_inputs(pix_feat, part, look_back), slots))
                result = found if asked else result
        assert result is not None  # no more frames are seen than the largest graph holds
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
            mask_b1hw: logits to start from, `[1, 1, H4, W4]`.
        """
        height, width = features.high_res_feats_0.shape[2:]
        unused = PROMPT_TOKENS - tokens.label_bp.shape[1] if self._as_exported else 0
        return Candidates(
            *self._mask_decoder(
                image_embed,
                features.high_res_feats_1,
                features.high_res_feats_0,
                F.pad(tokens.xy_norm_bpc, (0, 0, 0, unused)),
                F.pad(tokens.label_bp, (0, unused), value=LABEL_PAD),
                F.pad(tokens.bias_b11p, (0, unused), value=MASKED_BIAS),
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


def _inputs(pix_feat: Tensor, seen: Seen, look_back: int) -> tuple[Tensor, ...]:
    """Return the inputs of memory attention, with as many slots and pointers as are seen."""
    height, width = (int(side) for side in pix_feat.shape[2:])
    memory = [_on_grid(frame.features_bnc, height, width) for _, frame in seen.frames]
    pointers = [pointer_bc[:, None] for _, pointer_bc in seen.pointers]
    shares = max(look_back - 1, 1)  # a video of one frame has that frame's own pointer at most
    keys = len(memory) * height * width + len(pointers) * POINTER_TOKENS
    return (
        pix_feat,
        torch.cat(memory, dim=1),
        torch.tensor([[row for row, _ in seen.frames]], dtype=torch.int32),
        torch.cat([torch.zeros(1, 0, EMBED_CHANNELS), *pointers], dim=1),
        torch.tensor([[ago for ago, _ in seen.pointers]]).float() / shares,
        torch.zeros(1, 1, 1, keys),
    )


def _padded(inputs: tuple[Tensor, ...], slots: int) -> tuple[Tensor, ...]:
    """Return inputs for a number of slots, those that are empty hidden."""
    pix_feat, memory_bnc, row_bs, pointers_bqc, time_bq, _ = inputs
    cells = memory_bnc.shape[1] // row_bs.shape[1]
    empty, unused = slots - row_bs.shape[1], POINTER_SLOTS - time_bq.shape[1]
    seen_k = [memory_bnc.shape[1], empty * cells]
    seen_k += [time_bq.shape[1] * POINTER_TOKENS, unused * POINTER_TOKENS]
    hidden = [torch.full((keys,), MASKED_BIAS * (part % 2)) for part, keys in enumerate(seen_k)]
    return (
        pix_feat,
        F.pad(memory_bnc, (0, 0, 0, empty * cells)),
        F.pad(row_bs, (0, empty)),
        F.pad(pointers_bqc, (0, 0, 0, unused)),
        F.pad(time_bq, (0, unused)),
        torch.cat(hidden)[None, None, None],
    )


def enlarged(logits_hw: Tensor) -> Tensor:
    """Return logits at the masks' stride as those of the input's size, `[1, 1, H, W]`."""
    shape = [side * FAMILY.mask_stride for side in logits_hw.shape]
    return F.interpolate(logits_hw[None, None], shape, mode="bilinear")


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Return whether every number is."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _on_grid(features_bnc: Tensor, height: int, width: int) -> Tensor:
    """Return memory for another number of cells, of a grid of the same form."""
    cells = features_bnc.shape[1]
    if cells == height * width:
        return features_bnc
    rows = math.isqrt(cells * height // width)  # squares of whole numbers: nothing is lost
    grid_bchw = features_bnc.transpose(1, 2).reshape(1, MEMORY_CHANNELS, rows, cells // rows)
    grid_bchw = F.interpolate(grid_bchw, (height, width), mode="bilinear", antialias=True)
    return grid_bchw.flatten(2).transpose(1, 2)
