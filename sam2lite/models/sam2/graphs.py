"""What each exported graph computes: the graphs' inputs in, their outputs out, in order.

Families that are built on SAM 2 have fewer inputs of some graphs (`SlotBankLayout`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import (
    EMBED_CHANNELS,
    IMAGE_ENCODER,
    MASK_DECODER,
    MASK_DOWNSAMPLE,
    MEMORY_CHANNELS,
    MEMORY_ENCODER,
    POINTER_TOKENS,
    SlotBankLayout,
)
from sam2lite.models.sam2.memory_attention import Rotations
from sam2lite.models.sam2.network import SlotBankNetwork
from sam2lite.models.sam2.positions import rotary_table, sine_table, time_sine

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, pixels in 0..1
_POSITION_SHARE = 0.1  # of the frame's own positions in memory attention
_MASK_SCALE, _MASK_BIAS = 20.0, -10.0  # of masks that go into memory


class GraphModule(nn.Module):
    """What a graph computes.

    Attributes:
        input_names: of the graph, in order.
    """

    def __init__(self, input_names: Sequence[str]) -> None:
        super().__init__()
        self.input_names = tuple(input_names)


class ImageEncoderGraph(GraphModule):
    """Features of one frame."""

    def __init__(self, network: SlotBankNetwork, input_names: Sequence[str]) -> None:
        super().__init__(input_names)
        self.image_encoder = network.image_encoder
        self.finer = nn.ModuleList()  # from the map at stride 8 to that at stride 4
        if network.config.layout.high_res:
            decoder = network.sam_mask_decoder
            self.finer.extend((decoder.conv_s1, decoder.conv_s0))
        self.no_mem_embed = network.no_mem_embed
        self.register_buffer("pixel_mean", 255.0 * torch.tensor(_MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("pixel_std", 255.0 * torch.tensor(_STD).reshape(1, 3, 1, 1))
        self.pixel_mean: Tensor
        self.pixel_std: Tensor

    def forward(self, image_bchw: Tensor) -> tuple[Tensor, ...]:
        """Return `pix_feat`, `image_embed`, and `high_res_feats_1`, `high_res_feats_0` if any.

        Args:
            image_bchw: `[1, 3, H, W]`, RGB, 0..255.
        """
        *fine, s16 = self.image_encoder((image_bchw.float() - self.pixel_mean) / self.pixel_std)
        no_memory = self.no_mem_embed.reshape(1, -1, 1, 1)
        finer = [conv(x) for conv, x in zip(self.finer, reversed(fine), strict=True)]
        return (s16, s16 + no_memory, *finer)


class MemoryAttentionGraph(GraphModule):
    """Features of a frame with what was remembered; of any number of slots and pointers."""

    def __init__(self, network: SlotBankNetwork, input_names: Sequence[str]) -> None:
        super().__init__(input_names)
        self.memory_attention = network.memory_attention
        self.maskmem_tpos_enc = network.maskmem_tpos_enc
        self.places = network.places

    def attended(
        self,
        pix_feat: Tensor,
        memory_features_bnc: Tensor,
        memory_time_bs: Tensor,
        object_pointers_bqc: Tensor,
        pointer_position_bqc: Tensor,
        memory_bias_b11k: Tensor,
    ) -> tuple[Tensor]:
        """Return `image_embed`, `[1, 256, H16, W16]`.

        Args are the graph's inputs, but for the positions of pointers, `[1, Q, 64]`: all tokens of
        a pointer have the same.
        """
        _, channels, height, width = (int(side) for side in pix_feat.shape)
        slots, pointers = int(memory_time_bs.shape[1]), int(object_pointers_bqc.shape[1])
        tokens = pointers * POINTER_TOKENS
        x_bnc = pix_feat.flatten(2).transpose(1, 2)
        x_bnc = x_bnc + _POSITION_SHARE * sine_table(height, width, channels)
        position_nc, key_rotation = self.places(height, width)
        times_s1c = self.maskmem_tpos_enc.reshape(-1, MEMORY_CHANNELS)[memory_time_bs[0].long()]
        places_snc = position_nc + times_s1c[:, None]
        token_bkc = object_pointers_bqc.reshape(1, tokens, MEMORY_CHANNELS)
        memory_bkc = torch.cat([memory_features_bnc, token_bkc], dim=1)
        each_bkc = torch.cat([pointer_position_bqc[:, :, None]] * POINTER_TOKENS, dim=2)
        position_bkc = torch.cat(
            [
                places_snc.reshape(1, slots * int(position_nc.shape[0]), MEMORY_CHANNELS),
                each_bkc.reshape(1, tokens, MEMORY_CHANNELS),
            ],
            dim=1,
        )
        rotations = Rotations(
            rotary_table(height, width, EMBED_CHANNELS), key_rotation, (height, width)
        )
        found_bnc = self.memory_attention(
            x_bnc, memory_bkc, position_bkc, memory_bias_b11k[0], rotations, slots
        )
        return (found_bnc.transpose(1, 2).reshape(1, channels, height, width),)


class TimedAttentionGraph(MemoryAttentionGraph):
    """Pointers are told how long ago their frame is."""

    def __init__(self, network: SlotBankNetwork, input_names: Sequence[str]) -> None:
        super().__init__(network, input_names)
        # 2.0 has none, though a time is given: all pointers are at the same place.
        self.obj_ptr_tpos_proj = network.obj_ptr_tpos_proj or _nowhere()

    def forward(
        self,
        pix_feat: Tensor,
        memory_features_bnc: Tensor,
        memory_time_bs: Tensor,
        object_pointers_bqc: Tensor,
        pointer_time_bq: Tensor,
        memory_bias_b11k: Tensor,
    ) -> tuple[Tensor]:
        """See `attended`; the arguments are the graph's inputs."""
        position_bqc = self.obj_ptr_tpos_proj(time_sine(pointer_time_bq, EMBED_CHANNELS))
        memory = (memory_features_bnc, memory_time_bs, object_pointers_bqc)
        return self.attended(pix_feat, *memory, position_bqc, memory_bias_b11k)


class TimelessAttentionGraph(MemoryAttentionGraph):
    """All pointers are at the same place, which is nowhere."""

    def forward(
        self,
        pix_feat: Tensor,
        memory_features_bnc: Tensor,
        memory_time_bs: Tensor,
        object_pointers_bqc: Tensor,
        memory_bias_b11k: Tensor,
    ) -> tuple[Tensor]:
        """See `attended`; the arguments are the graph's inputs."""
        position_bqc = torch.zeros(1, int(object_pointers_bqc.shape[1]), MEMORY_CHANNELS)
        memory = (memory_features_bnc, memory_time_bs, object_pointers_bqc)
        return self.attended(pix_feat, *memory, position_bqc, memory_bias_b11k)


class MaskDownsampleGraph(GraphModule):
    """A user's mask in the form of a mask to start from."""

    def __init__(self, network: SlotBankNetwork, input_names: Sequence[str]) -> None:
        super().__init__(input_names)
        self.mask_downsample = network.mask_downsample

    def forward(self, mask_b1hw: Tensor) -> tuple[Tensor]:
        """Return `mask_input`, `[1, 1, H / 4, W / 4]`."""
        return (self.mask_downsample(mask_b1hw),)


class MaskDecoderGraph(GraphModule):
    """Mask candidates of one object, with their pointers."""

    def __init__(self, network: SlotBankNetwork, input_names: Sequence[str]) -> None:
        super().__init__(input_names)
        self.sam_prompt_encoder = network.sam_prompt_encoder
        self.sam_mask_decoder = network.sam_mask_decoder
        self.obj_ptr_proj = network.obj_ptr_proj
        self.no_obj_ptr = network.no_obj_ptr

    def decoded(
        self,
        image_embed: Tensor,
        prompt_xy_norm_bpc: Tensor,
        prompt_label_bp: Tensor,
        prompt_bias_b11p: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        finer: Sequence[Tensor] = (),
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return `masks`, `iou_predictions`, `object_score_logits`, `object_pointers_bmc`.

        Args are the graph's inputs; `finer` are features at strides 8 and 4, if there are any.
        """
        prompts = self.sam_prompt_encoder
        masks, iou_bm, score_b1, token_bmc = self.sam_mask_decoder(
            image_embed + prompts.mask(mask_input, has_mask_input),
            prompts.points(prompt_xy_norm_bpc, prompt_label_bp),
            prompt_bias_b11p,
            prompts.grid(*(int(side) for side in image_embed.shape[2:])),
            *finer,
        )
        there = (score_b1 > 0).float()[:, None]
        pointer_bmc = there * self.obj_ptr_proj(token_bmc) + (1.0 - there) * self.no_obj_ptr
        return masks, iou_bm, score_b1, pointer_bmc


class FineDecoderGraph(MaskDecoderGraph):
    """Masks have features at strides 8 and 4."""

    def forward(
        self,
        image_embed: Tensor,
        high_res_feats_1: Tensor,
        high_res_feats_0: Tensor,
        prompt_xy_norm_bpc: Tensor,
        prompt_label_bp: Tensor,
        prompt_bias_b11p: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `decoded`; the arguments are the graph's inputs."""
        prompt = (prompt_xy_norm_bpc, prompt_label_bp, prompt_bias_b11p, mask_input, has_mask_input)
        return self.decoded(image_embed, *prompt, (high_res_feats_1, high_res_feats_0))


class CoarseDecoderGraph(MaskDecoderGraph):
    """Masks have features at stride 16 alone."""

    def forward(
        self,
        image_embed: Tensor,
        prompt_xy_norm_bpc: Tensor,
        prompt_label_bp: Tensor,
        prompt_bias_b11p: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `decoded`; the arguments are the graph's inputs."""
        prompt = (prompt_xy_norm_bpc, prompt_label_bp, prompt_bias_b11p, mask_input, has_mask_input)
        return self.decoded(image_embed, *prompt)


class MemoryEncoderGraph(GraphModule):
    """The memory of a frame."""

    def __init__(self, network: SlotBankNetwork, input_names: Sequence[str]) -> None:
        super().__init__(input_names)
        self.memory_encoder = network.memory_encoder
        self.resampler = network.resampler()

    def encoded(self, pix_feat: Tensor, high_res_mask: Tensor, binarize: Tensor) -> Tensor:
        """Return tokens `[1, N, 64]`; the arguments are inputs of the graph."""
        soft, hard = torch.sigmoid(high_res_mask), (high_res_mask > 0).float()
        mask_b1hw = (soft + binarize * (hard - soft)) * _MASK_SCALE + _MASK_BIAS
        memory_bnc: Tensor = self.resampler(self.memory_encoder(pix_feat, mask_b1hw))
        return memory_bnc


class MarkingEncoderGraph(MemoryEncoderGraph):
    """Memory says of a frame that the object is not there."""

    def __init__(self, network: SlotBankNetwork, input_names: Sequence[str]) -> None:
        super().__init__(network, input_names)
        # 2.0 has none: frames without the object are marked by nothing but their mask.
        embedding = network.no_obj_embed_spatial
        self.absent = (
            nn.Parameter(torch.zeros(1, MEMORY_CHANNELS)) if embedding is None else embedding
        )

    def forward(
        self, pix_feat: Tensor, high_res_mask: Tensor, binarize: Tensor, object_score_logits: Tensor
    ) -> tuple[Tensor]:
        """Return `memory_features_bnc`, `[1, N, 64]`; the arguments are the graph's inputs."""
        absent = (object_score_logits <= 0).float()[..., None]
        return (self.encoded(pix_feat, high_res_mask, binarize) + absent * self.absent,)


class PlainEncoderGraph(MemoryEncoderGraph):
    """Memory is made of the mask alone."""

    def forward(self, pix_feat: Tensor, high_res_mask: Tensor, binarize: Tensor) -> tuple[Tensor]:
        """Return `memory_features_bnc`, `[1, N, 64]`; the arguments are the graph's inputs."""
        return (self.encoded(pix_feat, high_res_mask, binarize),)


def _nowhere() -> nn.Linear:
    linear = nn.Linear(EMBED_CHANNELS, MEMORY_CHANNELS)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


_Make = Callable[[SlotBankNetwork, Sequence[str]], GraphModule]


def _classes(layout: SlotBankLayout) -> dict[str, _Make]:
    """Return what computes each graph; not there are those of memory attention."""
    return {
        IMAGE_ENCODER: ImageEncoderGraph,
        MASK_DOWNSAMPLE: MaskDownsampleGraph,
        MASK_DECODER: FineDecoderGraph if layout.high_res else CoarseDecoderGraph,
        MEMORY_ENCODER: MarkingEncoderGraph if layout.marks_absence else PlainEncoderGraph,
    }


# The modules of a network's graphs, as long as there is the network: who watches what a graph is
# fed must meet the module that is called.
_made: WeakKeyDictionary[SlotBankNetwork, dict[str, GraphModule]] = WeakKeyDictionary()


def graph_module(network: SlotBankNetwork, graph: str) -> GraphModule:
    """Return what a graph of the family computes, with the network's own parts.

    The same network gives the same module every time.
    """
    modules = _made.setdefault(network, {})
    if not modules:
        layout = network.config.layout
        attention = TimedAttentionGraph if layout.pointer_time else TimelessAttentionGraph
        classes = _classes(layout)
        for spec in layout.graphs():
            make = classes.get(spec.name, attention)
            modules[spec.name] = make(network, spec.input_names).eval()
    return modules[graph]
