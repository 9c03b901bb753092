"""The graphs of a network, called with what there is: no slot, prompt or pointer is hidden."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    attention_name,
)
from sam2lite.contracts.loop import LABEL_PAD, MASKED_BIAS
from sam2lite.models.sam2.graphs import GraphModule, graph_module
from sam2lite.models.sam2.network import SlotBankNetwork
from sam2lite.models.sam2.reference.choosing import Candidates
from sam2lite.models.sam2.reference.memory import Seen
from sam2lite.models.sam2.reference.prompting import Tokens

Named = dict[str, Tensor]  # inputs of a graph; some families have no use for all of them


class Features(NamedTuple):
    """What `image_encoder` gives."""

    pix_feat: Tensor
    image_embed: Tensor
    high_res_feats_1: Tensor | None = None
    high_res_feats_0: Tensor | None = None

    @property
    def mask_sides(self) -> tuple[int, int]:
        """Height and width of masks that are decoded from them."""
        height, width = (int(side) for side in self.pix_feat.shape[2:])
        finer = FAMILY.strides["H16"] // FAMILY.mask_stride
        return height * finer, width * finer


class NetworkCalls:
    """A network, in evaluation mode and without gradients.

    One that is fused is called as its graphs will be, empty slots and all: what is recorded of such
    calls is what graphs are fed. Every graph of memory attention then meets every number of frames
    that it holds, once at every input size, although the smallest one would do.
    """

    def __init__(self, network: SlotBankNetwork) -> None:
        network.eval()
        self._layout = network.config.layout
        self._image_encoder = graph_module(network, IMAGE_ENCODER)
        self._attention = {
            slots: graph_module(network, attention_name(slots)) for slots in self._layout.slots
        }
        self._mask_downsample = graph_module(network, MASK_DOWNSAMPLE)
        self._mask_decoder = graph_module(network, MASK_DECODER)
        self._memory_encoder = graph_module(network, MEMORY_ENCODER)
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
        if not self._as_exported:  # a module takes any number, but may be made for few or many
            fitting = next(slots for slots in self._attention if slots >= frames)
            (found,) = _called(self._attention[fitting], self._inputs(pix_feat, seen, look_back))
            exact: Tensor = found
            return exact
        result: Tensor | None = None
        for slots, module in self._attention.items():
            held = min(slots, frames)
            asked = result is None and slots >= frames
            meeting = int(pix_feat[0, 0].numel()), slots, held
            if asked or meeting not in self._fed:
                self._fed.add(meeting)
                part = self._inputs(pix_feat, seen._replace(frames=seen.frames[:held]), look_back)
                (found,) = _called(module, _padded(part, slots))
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
        unused = PROMPT_TOKENS - tokens.label_bp.shape[1] if self._as_exported else 0
        none = torch.zeros(1, 1, *features.mask_sides)
        inputs = {
            **features._asdict(),
            "image_embed": image_embed,
            "prompt_xy_norm_bpc": F.pad(tokens.xy_norm_bpc, (0, 0, 0, unused)),
            "prompt_label_bp": F.pad(tokens.label_bp, (0, unused), value=LABEL_PAD),
            "prompt_bias_b11p": F.pad(tokens.bias_b11p, (0, unused), value=MASKED_BIAS),
            "mask_input": none if mask_b1hw is None else mask_b1hw,
            "has_mask_input": torch.full((1, 1, 1, 1), float(mask_b1hw is not None)),
        }
        return Candidates(*_called(self._mask_decoder, inputs))

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
        inputs = {
            "pix_feat": pix_feat,
            "high_res_mask": logits_b1hw,
            "binarize": torch.full((1, 1, 1, 1), float(prompted)),
            "object_score_logits": score_b1,
        }
        (found,) = _called(self._memory_encoder, inputs)
        result: Tensor = found
        return result

    def _inputs(self, pix_feat: Tensor, seen: Seen, look_back: int) -> Named:
        """Return the inputs of memory attention, with as many slots and pointers as are seen."""
        height, width = (int(side) for side in pix_feat.shape[2:])
        tokens = self._layout.tokens or height * width
        memory = [
            _resampled(frame.features_bnc, tokens, height / width) for _, frame in seen.frames
        ]
        pointers = [pointer_bc[:, None] for _, pointer_bc in seen.pointers]
        shares = max(look_back - 1, 1)  # a video of one frame has that frame's own pointer at most
        keys = len(memory) * tokens + len(pointers) * POINTER_TOKENS
        return {
            "pix_feat": pix_feat,
            "memory_features_bnc": torch.cat(memory, dim=1),
            "memory_time_bs": torch.tensor([[row for row, _ in seen.frames]], dtype=torch.int32),
            "object_pointers_bqc": torch.cat([torch.zeros(1, 0, EMBED_CHANNELS), *pointers], dim=1),
            "pointer_time_bq": torch.tensor([[ago for ago, _ in seen.pointers]]).float() / shares,
            "memory_bias_b11k": torch.zeros(1, 1, 1, keys),
        }


def _called(module: GraphModule, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Return what a graph gives of those inputs that it has."""
    found: tuple[Tensor, ...] = module(*(inputs[name] for name in module.input_names))
    return found


def _padded(inputs: Named, slots: int) -> Named:
    """Return inputs of memory attention for a number of slots, those that are empty hidden."""
    frames, keys = inputs["memory_time_bs"].shape[1], inputs["memory_features_bnc"].shape[1]
    pointers = inputs["object_pointers_bqc"].shape[1]
    empty, unused = slots - frames, POINTER_SLOTS - pointers
    hidden_keys = empty * keys // frames
    seen_k = [keys, hidden_keys, pointers * POINTER_TOKENS, unused * POINTER_TOKENS]
    hidden = [torch.full((count,), MASKED_BIAS * (part % 2)) for part, count in enumerate(seen_k)]
    return {
        "pix_feat": inputs["pix_feat"],
        "memory_features_bnc": F.pad(inputs["memory_features_bnc"], (0, 0, 0, hidden_keys)),
        "memory_time_bs": F.pad(inputs["memory_time_bs"], (0, empty)),
        "object_pointers_bqc": F.pad(inputs["object_pointers_bqc"], (0, 0, 0, unused)),
        "pointer_time_bq": F.pad(inputs["pointer_time_bq"], (0, unused)),
        "memory_bias_b11k": torch.cat(hidden)[None, None, None],
    }


def enlarged(logits_hw: Tensor) -> Tensor:
    """Return logits at the masks' stride as those of the input's size, `[1, 1, H, W]`."""
    shape = [side * FAMILY.mask_stride for side in logits_hw.shape]
    return F.interpolate(logits_hw[None, None], shape, mode="bilinear")


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Return whether every number is."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def _resampled(features_bnc: Tensor, tokens: int, form: float) -> Tensor:
    """Return memory for another number of cells.

    Args:
        features_bnc: of a frame.
        tokens: that are wanted.
        form: height over width of both grids.
    """
    known = features_bnc.shape[1]
    if known == tokens:
        return features_bnc
    from_height, height = (round(math.sqrt(count * form)) for count in (known, tokens))
    shape = from_height, known // from_height
    grid_bchw = features_bnc.transpose(1, 2).reshape(1, MEMORY_CHANNELS, *shape)
    shape = height, tokens // height
    grid_bchw = F.interpolate(grid_bchw, shape, mode="bilinear", antialias=True)
    return grid_bchw.flatten(2).transpose(1, 2)
