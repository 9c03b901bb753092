"""Enlarging maps by a factor."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from sam2lite.mil.steps import Handler


def _size(x: Tensor, height: Tensor, width: Tensor) -> tuple[int, int]:
    return math.floor(x.shape[-2] * height.item()), math.floor(x.shape[-1] * width.item())


def upsample_nearest_neighbor(
    *, x: Tensor, scale_factor_height: Tensor, scale_factor_width: Tensor
) -> Tensor:
    """Repeat pixels."""
    return F.interpolate(x, _size(x, scale_factor_height, scale_factor_width), mode="nearest")


def upsample_bilinear(
    *,
    x: Tensor,
    scale_factor_height: Tensor,
    scale_factor_width: Tensor,
    align_corners: Tensor,
    half_pixel_centers: Tensor | None = None,
) -> Tensor:
    """Interpolate between pixels, by one of torch's two conventions."""
    corners = bool(align_corners)
    if half_pixel_centers is not None and bool(half_pixel_centers) == corners:
        raise NotImplementedError(
            f"upsample_bilinear with half_pixel_centers and align_corners both {corners}"
        )
    size = _size(x, scale_factor_height, scale_factor_width)
    return F.interpolate(x, size, mode="bilinear", align_corners=corners)


HANDLERS: dict[str, Handler] = {
    "upsample_bilinear": upsample_bilinear,
    "upsample_nearest_neighbor": upsample_nearest_neighbor,
}
