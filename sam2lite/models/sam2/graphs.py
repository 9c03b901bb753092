"""What each exported graph computes: the graphs' inputs in, their outputs out, in order."""

from __future__ import annotations

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
)
from sam2lite.models.sam2.network import Sam2
from sam2lite.models.sam2.positions import sine_table, time_sine

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, pixels in 0..1
_POSITION_SHARE = 0.1  # of the frame's own positions in memory attention
_MASK_SCALE, _MASK_BIAS = 20.0, -10.0  # of masks that go into memory


class ImageEncoderGraph(nn.Module):
    """Features of one frame."""

    def __init__(self, network: Sam2) -> None:
        super().__init__()
        self.image_encoder = network.image_encoder
        self.conv_s0 = network.sam_mask_decoder.conv_s0
        self.conv_s1 = network.sam_mask_decoder.conv_s1
        self.no_mem_embed = network.no_mem_embed
        self.register_buffer("pixel_mean", 255.0 * torch.tensor(_MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("pixel_std", 255.0 * torch.tensor(_STD).reshape(1, 3, 1, 1))
        self.pixel_mean: Tensor
        self.pixel_std: Tensor

    def forward(self, image_bchw: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return `pix_feat`, `image_embed`, `high_res_feats_1`, `high_res_feats_0`.

        Args:
            image_bchw: `[1, 3, H, W]`, RGB, 0..255.
        """
        s4, s8, s16 = self.image_encoder((image_bchw.float() - self.pixel_mean) / self.pixel_std)
        no_memory = self.no_mem_embed.reshape(1, -1, 1, 1)
        return s16, s16 + no_memory, self.conv_s1(s8), self.conv_s0(s4)


class MemoryAttentionGraph(nn.Module):
    """Features of a frame with what was remembered; of any number of slots and pointers."""

    def __init__(self, network: Sam2) -> None:
        super().__init__()
        self.memory_attention = network.memory_attention
        self.maskmem_tpos_enc = network.maskmem_tpos_enc
        # 2.0 has none: all pointers are at the same place.
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
        """Return `image_embed`, `[1, 256, H16, W16]`; the arguments are the graph's inputs."""
        _, channels, height, width = (int(side) for side in pix_feat.shape)
        slots, pointers = int(memory_time_bs.shape[1]), int(object_pointers_bqc.shape[1])
        x_bnc = pix_feat.flatten(2).transpose(1, 2)
        x_bnc = x_bnc + _POSITION_SHARE * sine_table(height, width, channels)
        times_s1c = self.maskmem_tpos_enc.reshape(-1, MEMORY_CHANNELS)[memory_time_bs[0].long()]
        places = sine_table(height, width, MEMORY_CHANNELS) + times_s1c[:, None]
        token_bkc = object_pointers_bqc.reshape(1, pointers * POINTER_TOKENS, MEMORY_CHANNELS)
        memory_bkc = torch.cat([memory_features_bnc, token_bkc], dim=1)
        position_bkc = torch.cat(
            [
                places.reshape(1, slots * height * width, MEMORY_CHANNELS),
                self._pointer_positions(pointer_time_bq),
            ],
            dim=1,
        )
        found_bnc = self.memory_attention(
            x_bnc, memory_bkc, position_bkc, memory_bias_b11k[0], (height, width), slots
        )
        return (found_bnc.transpose(1, 2).reshape(1, channels, height, width),)

    def _pointer_positions(self, pointer_time_bq: Tensor) -> Tensor:
        """Return `[1, Q * 4, 64]`: all tokens of a pointer have the same."""
        _, pointers = (int(side) for side in pointer_time_bq.shape)
        position_bqc = self.obj_ptr_tpos_proj(time_sine(pointer_time_bq, EMBED_CHANNELS))
        result: Tensor = torch.cat([position_bqc[:, :, None]] * POINTER_TOKENS, dim=2).reshape(
            1, pointers * POINTER_TOKENS, MEMORY_CHANNELS
        )
        return result


class MaskDownsampleGraph(nn.Module):
    """A user's mask in the form of a mask to start from."""

    def __init__(self, network: Sam2) -> None:
        super().__init__()
        self.mask_downsample = network.mask_downsample

    def forward(self, mask_b1hw: Tensor) -> tuple[Tensor]:
        """Return `mask_input`, `[1, 1, H / 4, W / 4]`."""
        return (self.mask_downsample(mask_b1hw),)


class MaskDecoderGraph(nn.Module):
    """Mask candidates of one object, with their pointers."""

    def __init__(self, network: Sam2) -> None:
        super().__init__()
        self.sam_prompt_encoder = network.sam_prompt_encoder
        self.sam_mask_decoder = network.sam_mask_decoder
        self.obj_ptr_proj = network.obj_ptr_proj
        self.no_obj_ptr = network.no_obj_ptr

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
        """Return `masks`, `iou_predictions`, `object_score_logits`, `object_pointers_bmc`.

        The arguments are the graph's inputs.
        """
        prompts = self.sam_prompt_encoder
        masks, iou_bm, score_b1, token_bmc = self.sam_mask_decoder(
            image_embed + prompts.mask(mask_input, has_mask_input),
            high_res_feats_1,
            high_res_feats_0,
            prompts.points(prompt_xy_norm_bpc, prompt_label_bp),
            prompt_bias_b11p,
            prompts.grid(*(int(side) for side in image_embed.shape[2:])),
        )
        there = (score_b1 > 0).float()[:, None]
        pointer_bmc = there * self.obj_ptr_proj(token_bmc) + (1.0 - there) * self.no_obj_ptr
        return masks, iou_bm, score_b1, pointer_bmc


class MemoryEncoderGraph(nn.Module):
    """The memory of a frame."""

    def __init__(self, network: Sam2) -> None:
        super().__init__()
        self.memory_encoder = network.memory_encoder
        # 2.0 has none: frames without the object are marked by nothing but their mask.
        embedding = network.no_obj_embed_spatial
        self.absent = (
            nn.Parameter(torch.zeros(1, MEMORY_CHANNELS)) if embedding is None else embedding
        )

    def forward(
        self, pix_feat: Tensor, high_res_mask: Tensor, binarize: Tensor, object_score_logits: Tensor
    ) -> tuple[Tensor]:
        """Return `memory_features_bnc`, `[1, N, 64]`; the arguments are the graph's inputs."""
        soft, hard = torch.sigmoid(high_res_mask), (high_res_mask > 0).float()
        mask_b1hw = (soft + binarize * (hard - soft)) * _MASK_SCALE + _MASK_BIAS
        memory_bnc = self.memory_encoder(pix_feat, mask_b1hw).flatten(2).transpose(1, 2)
        absent = (object_score_logits <= 0).float()[..., None]
        return (memory_bnc + absent * self.absent,)


def _nowhere() -> nn.Linear:
    linear = nn.Linear(EMBED_CHANNELS, MEMORY_CHANNELS)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


_GRAPHS: dict[str, type[nn.Module]] = {
    IMAGE_ENCODER.name: ImageEncoderGraph,
    MASK_DOWNSAMPLE.name: MaskDownsampleGraph,
    MASK_DECODER.name: MaskDecoderGraph,
    MEMORY_ENCODER.name: MemoryEncoderGraph,
}


# The modules of a network's graphs, as long as there is the network: who watches what a graph is
# fed must meet the module that is called.
_made: WeakKeyDictionary[Sam2, dict[str, nn.Module]] = WeakKeyDictionary()


def graph_module(network: Sam2, graph: str) -> nn.Module:
    """Return what a graph of the family computes, with the network's own parts.

    The same network gives the same module every time.
    """
    modules = _made.setdefault(network, {})
    if graph not in modules:
        modules[graph] = _GRAPHS.get(graph, MemoryAttentionGraph)(network).eval()
    return modules[graph]
