"""A user's prompt in the form of the graphs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.contracts.families.sam2 import FAMILY
from sam2lite.contracts.loop import LABEL_BOX_BOTTOM_RIGHT, LABEL_BOX_TOP_LEFT, LABEL_PAD
from sam2lite.errors import PromptError
from sam2lite.runtimes.prompts import Prompt

MASK_SCALE, MASK_OFFSET = 20.0, -10.0  # a user's mask as logits
_COVERED = 0.5  # share of a pixel from which it belongs to the mask


class Tokens(NamedTuple):
    """The prompt's inputs of `mask_decoder`, without hidden slots.

    Attributes:
        prompted: number of clicks and box corners.
        xy_norm_bpc: `[1, P, 2]`.
        label_bp: `[1, P]`.
        bias_b11p: `[1, 1, 1, P]`, zeros.
    """

    prompted: int
    xy_norm_bpc: Tensor
    label_bp: Tensor
    bias_b11p: Tensor


def no_tokens() -> Tokens:
    """Return what stands for no prompt: a click that is nowhere, and the end."""
    return _tokens(0, [[0.0, 0.0]], [LABEL_PAD])


def tokens_of(prompt: Prompt, width: int, height: int, input_size: tuple[int, int]) -> Tokens:
    """Return a prompt's box and clicks.

    Args:
        prompt: in source pixels.
        width: of the source frame, px.
        height: of the source frame, px.
        input_size: height and width of the network's input, px.

    Raises:
        PromptError: it does not fit the frame.
    """
    prompt = prompt.inside(width, height)
    xy: list[list[float]] = []
    labels: list[int] = []
    if prompt.box_xyxy is not None:
        x1, y1, x2, y2 = prompt.box_xyxy.tolist()
        xy, labels = [[x1, y1], [x2, y2]], [LABEL_BOX_TOP_LEFT, LABEL_BOX_BOTTOM_RIGHT]
    xy += prompt.points_xy.tolist()
    labels += prompt.labels.tolist()
    # The half pixel is the network's, not the source's.
    input_height, input_width = input_size
    xy = [[x / width + 0.5 / input_width, y / height + 0.5 / input_height] for x, y in xy]
    return _tokens(len(xy), xy, labels)


def _tokens(prompted: int, xy_norm: list[list[float]], labels: list[int]) -> Tokens:
    """Return tokens with the one that ends every prompt."""
    xy_norm_bpc = torch.tensor([[*xy_norm, [0.0, 0.0]]])
    label_bp = torch.tensor([[*labels, LABEL_PAD]], dtype=torch.int32)
    return Tokens(prompted, xy_norm_bpc, label_bp, torch.zeros(1, 1, 1, label_bp.shape[1]))


def mask_at(prompt: Prompt, width: int, height: int, input_size: tuple[int, int]) -> Tensor:
    """Return a user's mask at the network's input size, 0 and 1, `[1, 1, H, W]`.

    Args:
        prompt: in source pixels.
        width: of the source frame, px.
        height: of the source frame, px.
        input_size: height and width of the network's input, px.

    Raises:
        PromptError: it does not fit the frame, is mixed with clicks, or vanishes at that size.
    """
    prompt = prompt.inside(width, height)
    if prompt.mask_hw is None or len(prompt.points_xy) or prompt.box_xyxy is not None:
        raise PromptError("a mask is taken as it is; give it without clicks and box")
    mask_b1hw = torch.from_numpy(prompt.mask_hw)[None, None].float()
    if mask_b1hw.shape[2:] != input_size:
        mask_b1hw = F.interpolate(mask_b1hw, input_size, mode="bilinear", antialias=True)
        mask_b1hw = (mask_b1hw >= _COVERED).float()
    if not mask_b1hw.any():
        raise PromptError(
            f"the mask of {int(prompt.mask_hw.sum())} px vanishes at the input size of "
            f"{input_size[1]}x{input_size[0]} px; draw a larger one"
        )
    return mask_b1hw


def low_logits(mask_b1hw: Tensor) -> Tensor:
    """Return a mask of the input's size as logits at the masks' stride."""
    shape = [side // FAMILY.mask_stride for side in mask_b1hw.shape[2:]]
    logits_b1hw = mask_b1hw * MASK_SCALE + MASK_OFFSET
    return F.interpolate(logits_b1hw, shape, mode="bilinear", antialias=True)
