"""A box prompt is a window: outside of it, with a margin, no candidate has mass.

A box says where an object ends, which a network of this size does not learn to obey: its masks ran
on over whatever had the object's colour. The window is a part of the graph, so that training, the
predicted IoU (which the choice among the candidates goes by) and every runtime know it alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sam2lite.contracts.loop import LABEL_BOX_BOTTOM_RIGHT, LABEL_BOX_TOP_LEFT, MASKED_BIAS

MARGIN = 0.1  # of the box's sides: boxes are drawn by hand, and training jitters them by as much
MARGIN_CELLS = 1.0
CLOSED = -8.0  # the logits outside; three in ten thousand, and small beside others in FP16


def within_box(
    logits_bmhw: Tensor, xy_norm_bpc: Tensor, label_bp: Tensor, bias_b11p: Tensor
) -> Tensor:
    """Close what lies outside of the box, if the slots that are seen hold one.

    Nothing is looked up, compared or selected: every backend takes products and sums.
    There is a box where one corner of each kind is seen, in either order. What is not finite stays
    so.

    Shape: logits `[b, 4, h, h]`, places `[b, 8, 2]` (x, y in 0..1), labels `[b, 8]`, bias
    `[b, 1, 1, 8]` (0, or `MASKED_BIAS` where a slot is hidden) -> logits `[b, 4, h, h]`.
    """
    side = int(logits_bmhw.shape[-1])
    seen_b1p = 1.0 - bias_b11p[:, 0] / MASKED_BIAS
    kind_b1p = label_bp[:, None].to(xy_norm_bpc)
    first_b1p, second_b1p = (
        _hat(kind_b1p, label) * seen_b1p for label in (LABEL_BOX_TOP_LEFT, LABEL_BOX_BOTTOM_RIGHT)
    )
    boxed_b11 = _hat(first_b1p.sum(2, keepdim=True), 1) * _hat(second_b1p.sum(2, keepdim=True), 1)
    first_b1c, second_b1c = (side * (b1p @ xy_norm_bpc) for b1p in (first_b1p, second_b1p))
    middle_b1c = 0.5 * (first_b1c + second_b1c)  # in cells
    reach_b1c = (1.0 + 2.0 * MARGIN) * (second_b1c - middle_b1c).abs() + MARGIN_CELLS
    centre_n1 = (torch.arange(side, dtype=torch.float32) + 0.5).to(xy_norm_bpc)[:, None]
    beyond_bnc = torch.relu((centre_n1 - middle_b1c).abs() - reach_b1c)
    x_bn1, y_bn1 = torch.split(beyond_bnc * boxed_b11, 1, dim=2)
    closed_b1hw = (y_bn1 + x_bn1.transpose(1, 2)).clamp(max=1.0)[:, None]
    windowed: Tensor = logits_bmhw * (1.0 - closed_b1hw) + CLOSED * closed_b1hw
    return windowed


def _hat(number: Tensor, centre: int) -> Tensor:
    """Return 1 at a whole number and 0 at all others."""
    return torch.relu(1.0 - (number - centre).abs())
