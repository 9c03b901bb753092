"""Mask decoder: queries read the image, image tokens read the memory, masks come out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2lite import MEMORY_CHANNELS
from sam2lite.contracts.loop import MASK_CANDIDATES, MASKED_BIAS
from sam2lite.models.sam2lite.blocks import (
    ConvBlock,
    ConvBn,
    FewQueriesAttention,
    Mlp,
    SelfAttention,
    attend,
    map_from_tokens,
    merge_heads,
    split_heads,
    sub_pixel,
    tokens_from_map,
)
from sam2lite.models.sam2lite.box_window import within_box
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.positions import FourierFeatures
from sam2lite.models.sam2lite.prompt_encoder import PromptEncoder

AGE_FREQUENCIES = 8
HEADS = 2
# The first is seen, the second never. With it an image token reads a multiple of 16 tokens: 2 + the
# bank's budget + 6 queries + 8 prompt slots. With one fewer the attention takes a tenth longer.
NULL_TOKENS = 2


class DecoderLayer(nn.Module):
    """One round: queries read the image, then image tokens read the memory and the queries.

    Image tokens read memory and queries in one attention (one softmax over both), which costs half
    of two attentions one after the other. They never attend to each other: at 900 tokens that would
    cost more than all the rest. A convolution block spreads what was read instead.
    """

    def __init__(self, config: Sam2LiteConfig) -> None:
        super().__init__()
        dim, inner = config.embed_dim, config.attention_dim
        self.scale = (inner // HEADS) ** -0.5
        self.norm_self = nn.LayerNorm(dim)
        self.query_self = SelfAttention(dim, inner, HEADS)
        self.norm_query = nn.LayerNorm(dim)
        self.query_from_image = FewQueriesAttention(dim, inner, HEADS)
        self.norm_mlp = nn.LayerNorm(dim)
        self.query_mlp = Mlp(dim, config.query_mlp_dim, dim)
        self.query_key = nn.Linear(dim, inner)
        self.query_value = nn.Linear(dim, inner)
        self.norm_image = nn.LayerNorm(dim)
        self.image_query = nn.Linear(dim, inner)
        self.image_out = nn.Linear(inner, dim)
        self.mix = ConvBlock(dim, config.mix_dim)

    def forward(
        self,
        image_bnc: Tensor,
        query_bqc: Tensor,
        place_1nc: Tensor,
        memory: tuple[Tensor, Tensor],
        query_bias_b11q: Tensor,
        all_bias_b11m: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return image tokens `[b, n, dim]` and queries `[b, q, dim]` after one round.

        `memory` is the bank's keys and values, `[b, m, attention_dim]` each; `all_bias_b11m` covers
        the bank, then the queries.
        """
        normed_bqc = self.norm_self(query_bqc)
        query_bqc = query_bqc + self.query_self(normed_bqc, normed_bqc, query_bias_b11q)
        query_bqc = query_bqc + self.query_from_image(
            self.norm_query(query_bqc), image_bnc + place_1nc, image_bnc
        )
        query_bqc = query_bqc + self.query_mlp(self.norm_mlp(query_bqc))

        # The scale goes to the keys, of which there are fewer.
        query_key_bqc = self.query_key(query_bqc) * self.scale
        read_bhnc = attend(
            split_heads(self.image_query(self.norm_image(image_bnc) + place_1nc), HEADS),
            split_heads(torch.cat([memory[0], query_key_bqc], dim=1), HEADS),
            split_heads(torch.cat([memory[1], self.query_value(query_bqc)], dim=1), HEADS),
            all_bias_b11m,
        )
        image_bnc = image_bnc + self.image_out(merge_heads(read_bhnc))
        side = int(image_bnc.shape[1] ** 0.5)
        image_bnc = tokens_from_map(self.mix(map_from_tokens(image_bnc, side, side)))
        return image_bnc, query_bqc


class MaskUpsampler(nn.Module):
    """Stride 16 to stride 4 by two sub-pixel steps, adding the encoder's skips on the way."""

    def __init__(self, config: Sam2LiteConfig) -> None:
        super().__init__()
        skip_s8, skip_s4 = config.skip_dims
        self.to_s8 = nn.Conv2d(config.embed_dim, 4 * skip_s8, 1)
        self.to_s4 = nn.Conv2d(skip_s8, 4 * skip_s4, 1)
        # Depthwise smoothing removes the checkerboard that sub-pixel steps leave.
        self.smooth = ConvBn(skip_s4, skip_s4, 3, depthwise=True, residual=True, init_scale=0.5)
        self.last = nn.Conv2d(skip_s4, skip_s4, 1)

    def forward(self, s16_bchw: Tensor, s8_bchw: Tensor, s4_bchw: Tensor) -> Tensor:
        """Upsample. Shape: `[b, dim, H16, H16]` -> `[b, skip_s4, H4, H4]`."""
        up_s8 = torch.relu(sub_pixel(self.to_s8(s16_bchw)) + s8_bchw)
        up_s4 = torch.relu(sub_pixel(self.to_s4(up_s8)) + s4_bchw)
        pixels_bchw: Tensor = self.last(torch.relu(self.smooth(up_s4)))
        return pixels_bchw


class MaskDecoder(nn.Module):
    """Masks, predicted IoU, object score and pointers for one object; spec `MASK_DECODER`."""

    def __init__(self, config: Sam2LiteConfig) -> None:
        super().__init__()
        dim = config.embed_dim
        skip_s8, skip_s4 = config.skip_dims
        self.fourier = FourierFeatures(dim)
        self.prompt = PromptEncoder(dim, (dim, skip_s8, skip_s4))
        self.age = nn.Linear(2 * AGE_FREQUENCIES, MEMORY_CHANNELS)
        # A key and a value that are always there, so that an empty bank is a valid one.
        self.null_key = nn.Parameter(0.02 * torch.randn(1, 1, MEMORY_CHANNELS))
        self.null_value = nn.Parameter(0.02 * torch.randn(1, 1, MEMORY_CHANNELS))
        # The bank is projected once, for all layers.
        self.memory_key = nn.Linear(MEMORY_CHANNELS, config.attention_dim)
        self.memory_value = nn.Linear(MEMORY_CHANNELS, config.attention_dim)
        # One query for the IoUs, one for the object score, one a mask candidate.
        self.queries = nn.Parameter(torch.randn(1, 2 + MASK_CANDIDATES, dim))
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm_final = nn.LayerNorm(dim)
        self.final_from_image = FewQueriesAttention(dim, config.attention_dim, HEADS)
        self.norm_query = nn.LayerNorm(dim)
        self.upsampler = MaskUpsampler(config)
        self.hyper = Mlp(dim, dim, skip_s4)
        self.iou = Mlp(dim, dim, MASK_CANDIDATES)
        self.object_score = Mlp(dim, dim, 1)
        # An object that was pointed out is there, until learned otherwise: an untrained network
        # must write memory, or comparing loops would compare nothing.
        nn.init.ones_(self.object_score.last.bias)
        self.pointer = Mlp(dim, dim, MEMORY_CHANNELS)

    def _aged(self, key_bmc: Tensor, age_bm: Tensor) -> Tensor:
        """Add the age to the keys as sines and cosines of 8 octaves of it (age in 0..1)."""
        octaves = 2.0 ** torch.arange(AGE_FREQUENCIES, dtype=torch.float32) * (torch.pi / 2.0)
        angles_bmf = age_bm[..., None] * octaves.to(age_bm)
        aged: Tensor = key_bmc + self.age(
            torch.cat([torch.sin(angles_bmf), torch.cos(angles_bmf)], dim=-1)
        )
        return aged

    def forward(
        self,
        features_s16_bchw: Tensor,
        features_s8_bchw: Tensor,
        features_s4_bchw: Tensor,
        memory_key_bnc: Tensor,
        memory_value_bnc: Tensor,
        memory_age_bn: Tensor,
        memory_bias_b11n: Tensor,
        prompt_xy_norm_bpc: Tensor,
        prompt_label_bp: Tensor,
        prompt_bias_b11p: Tensor,
        mask_prompt_b1hw: Tensor,
        mask_prompt_flag_b111: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decode one object; see `MASK_DECODER` for names, shapes and ranges."""
        batch, _, side, _ = features_s16_bchw.shape
        features = (features_s16_bchw, features_s8_bchw, features_s4_bchw)
        key = torch.cat(
            [
                self.null_key.expand(batch, NULL_TOKENS, -1),
                self._aged(memory_key_bnc, memory_age_bn),
            ],
            dim=1,
        )
        value = torch.cat([self.null_value.expand(batch, NULL_TOKENS, -1), memory_value_bnc], dim=1)
        scale = (self.memory_key.out_features // HEADS) ** -0.5
        memory = (self.memory_key(key) * scale, self.memory_value(value))
        seen = memory_bias_b11n.new_zeros(batch, 1, 1, 1)
        unseen = memory_bias_b11n.new_full((batch, 1, 1, NULL_TOKENS - 1), MASKED_BIAS)

        prompt_bpc = self.prompt.points(features, self.fourier, prompt_xy_norm_bpc, prompt_label_bp)
        query_bqc = torch.cat([self.queries.expand(batch, -1, -1), prompt_bpc], dim=1)
        own = prompt_bias_b11p.new_zeros(batch, 1, 1, self.queries.shape[1])
        query_bias = torch.cat([own, prompt_bias_b11p], dim=-1)
        all_bias = torch.cat([seen, unseen, memory_bias_b11n, query_bias], dim=-1)

        dense_bchw = self.prompt.mask(mask_prompt_b1hw, mask_prompt_flag_b111)
        image_bnc = tokens_from_map(features_s16_bchw + dense_bchw)
        place_1nc = self.fourier.grid(int(side))
        for layer in self.layers:
            image_bnc, query_bqc = layer(
                image_bnc, query_bqc, place_1nc, memory, query_bias, all_bias
            )
        query_bqc = query_bqc + self.final_from_image(
            self.norm_final(query_bqc), image_bnc + place_1nc, image_bnc
        )
        query_bqc = self.norm_query(query_bqc)

        iou_bc, score_bc = query_bqc[:, 0], query_bqc[:, 1]
        mask_bmc = query_bqc[:, 2 : 2 + MASK_CANDIDATES]
        pixels_bchw = self.upsampler(
            map_from_tokens(image_bnc, int(side), int(side)), features_s8_bchw, features_s4_bchw
        )
        side_s4 = pixels_bchw.shape[-1]
        logits_bmn = self.hyper(mask_bmc) @ pixels_bchw.flatten(2)
        logits_bmhw = logits_bmn.reshape(batch, MASK_CANDIDATES, side_s4, side_s4)
        return (
            within_box(logits_bmhw, prompt_xy_norm_bpc, prompt_label_bp, prompt_bias_b11p),
            torch.sigmoid(self.iou(iou_bc)),
            self.object_score(score_bc),
            self.pointer(mask_bmc),
        )
