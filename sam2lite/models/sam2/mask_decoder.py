"""Mask candidates from features and a prompt's tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS
from sam2lite.contracts.loop import MASK_CANDIDATES
from sam2lite.models.sam2.blocks import LayerNorm2d, Mlp
from sam2lite.models.sam2.two_way import TwoWayTransformer

_FIXED = 2 + MASK_CANDIDATES  # tokens before those of the prompt: score, IoU, masks


class MaskDecoder(nn.Module):
    """All candidates at once; which of them counts is the frame loop's business."""

    def __init__(self, high_res: bool = True) -> None:
        """Build it.

        Args:
            high_res: whether features at strides 8 and 4 are added while masks are enlarged.
        """
        super().__init__()
        width = EMBED_CHANNELS
        self.transformer = TwoWayTransformer()
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(MASK_CANDIDATES, width)
        self.obj_score_token = nn.Embedding(1, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, 2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, 2, stride=2),
            nn.GELU(),
        )
        if high_res:  # both are of the image encoder's graph
            self.conv_s0 = nn.Conv2d(width, width // 8, 1)
            self.conv_s1 = nn.Conv2d(width, width // 4, 1)
        self.output_hypernetworks_mlps = nn.ModuleList(
            Mlp(width, width, width, width // 8) for _ in range(MASK_CANDIDATES)
        )
        self.iou_prediction_head = Mlp(width, width, width, MASK_CANDIDATES)
        self.pred_obj_score_head = Mlp(width, width, width, 1)

    def forward(
        self,
        image_embed_bchw: Tensor,
        prompt_bpc: Tensor,
        prompt_bias_b11p: Tensor,
        cell_position: Tensor,
        features_s8_bchw: Tensor | None = None,
        features_s4_bchw: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return logits `[1, 4, H4, W4]`, IoU `[1, 4]`, score `[1, 1]`, mask tokens `[1, 4, 256]`.

        Args:
            image_embed_bchw: with the mask prompt's map added.
            prompt_bpc: tokens of the prompt.
            prompt_bias_b11p: 0 for those that are used.
            cell_position: `[1, H16 * W16, 256]`.
            features_s8_bchw: 64 channels, if there are any.
            features_s4_bchw: 32 channels, if there are any.
        """
        height, width = (int(side) for side in image_embed_bchw.shape[2:])
        own = [self.obj_score_token.weight, self.iou_token.weight, self.mask_tokens.weight]
        tokens = torch.cat([torch.cat(own)[None], prompt_bpc], dim=1)
        bias_b11n = torch.cat([torch.zeros(1, 1, 1, _FIXED), prompt_bias_b11p], dim=3)
        cells_bkc = image_embed_bchw.flatten(2).transpose(1, 2)
        tokens, cells_bkc = self.transformer(tokens, cells_bkc, cell_position, bias_b11n)
        mask_tokens = tokens[:, 2:_FIXED]
        map_bchw = cells_bkc.transpose(1, 2).reshape(1, EMBED_CHANNELS, height, width)
        up_s8, norm, gelu, up_s4, last = self.output_upscaling
        map_bchw = gelu(norm(_sum(up_s8(map_bchw), features_s8_bchw)))
        map_bchw = last(_sum(up_s4(map_bchw), features_s4_bchw))
        weights_bmc = torch.stack(
            [mlp(mask_tokens[:, m]) for m, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1
        )
        logits_bmn = weights_bmc @ map_bchw.flatten(2)
        logits_bmhw = logits_bmn.reshape(1, MASK_CANDIDATES, 4 * height, 4 * width)
        iou_bm = torch.sigmoid(self.iou_prediction_head(tokens[:, 1]))
        return logits_bmhw, iou_bm, self.pred_obj_score_head(tokens[:, 0]), mask_tokens


def _sum(map_bchw: Tensor, features_bchw: Tensor | None) -> Tensor:
    return map_bchw if features_bchw is None else map_bchw + features_bchw
