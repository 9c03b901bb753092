"""Where things are: Fourier features, position tables, area resampling. Constants per rung.

None of it depends on the image, so a trace at a fixed rung bakes all of it into constants and no
Resize node is left in a graph.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FourierFeatures(nn.Module):
    """Random Fourier features of points in the unit square (Tancik et al. 2020, sec. 4)."""

    frequencies: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        # The frequencies are data, not parameters: the same for every network of one width. They
        # are stored with the weights, because no version of torch promises the next one's numbers.
        generator = torch.Generator().manual_seed(dim)
        self.register_buffer("frequencies", torch.randn(2, dim // 2, generator=generator))

    def forward(self, xy_norm: Tensor) -> Tensor:
        """Encode points. Shape: `[..., 2]` in 0..1 -> `[..., dim]`."""
        angles = (2.0 * xy_norm - 1.0) @ (self.frequencies * math.pi)
        return torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)

    def grid(self, side: int) -> Tensor:
        """Encode the cell centres of a square grid, row by row. Shape: `[1, side*side, dim]`."""
        return self.forward(grid_centres(side).to(self.frequencies))[None]


def grid_centres(side: int) -> Tensor:
    """Return x, y of the cell centres of a square grid, row by row. Shape: `[side*side, 2]`."""
    centres = (torch.arange(side, dtype=torch.float32) + 0.5) / side
    y_hw, x_hw = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([x_hw, y_hw], dim=-1).reshape(-1, 2)


def resized_table(table_1chw: Tensor, side: int) -> Tensor:
    """Resize a learned position table to another grid by bicubic interpolation.

    Shape: `[1, c, h, w]` -> `[1, c, side, side]`.
    """
    if table_1chw.shape[-1] == side:
        return table_1chw
    return F.interpolate(table_1chw, (side, side), mode="bicubic", align_corners=False)


def area_matrix(side_out: int, side_in: int) -> Tensor:
    """Return the matrix that averages `side_in` cells into `side_out` equal ones by overlap.

    `A @ map @ A.T` is an exact area resampling for any pair of sizes, in two MatMuls.

    Shape: `[side_out, side_in]`; rows sum to 1.
    """
    edges = torch.arange(side_out + 1, dtype=torch.float64) * (side_in / side_out)
    cells = torch.arange(side_in, dtype=torch.float64)
    low = torch.maximum(edges[:-1, None], cells[None])
    high = torch.minimum(edges[1:, None], cells[None] + 1.0)
    overlap = (high - low).clamp(min=0.0)
    return (overlap * (side_out / side_in)).to(torch.float32)


def area_resample(x_bchw: Tensor, side: int) -> Tensor:
    """Resample a square map by area. Shape: `[b, c, h, h]` -> `[b, c, side, side]`."""
    if x_bchw.shape[-1] == side:
        return x_bchw
    matrix = area_matrix(side, int(x_bchw.shape[-1])).to(x_bchw)
    return matrix @ x_bchw @ matrix.T


def bilinear_samples(x_bchw: Tensor, xy_norm_bpc: Tensor) -> Tensor:
    """Sample a map at points, bilinearly, with MatMuls only (no GridSample).

    The weight of a cell is a hat function of its distance to the point, which is bilinear
    interpolation written as a product: weights are separable, so two small MatMuls do.

    Shape: map `[b, c, h, w]`, points `[b, p, 2]` (x, y in 0..1) -> `[b, p, c]`.
    """
    _, _, h, w = x_bchw.shape
    # Points nearer to the border than half a cell take the border cell's value.
    x_bp1 = (xy_norm_bpc[..., 0:1] * w - 0.5).clamp(0.0, w - 1.0)
    y_bp1 = (xy_norm_bpc[..., 1:2] * h - 0.5).clamp(0.0, h - 1.0)
    weight_x_bpw = torch.relu(1.0 - (x_bp1 - torch.arange(w).to(x_bchw)).abs())
    weight_y_bph = torch.relu(1.0 - (y_bp1 - torch.arange(h).to(x_bchw)).abs())
    rows_bchp = x_bchw @ weight_x_bpw.transpose(1, 2)[:, None]
    samples_bcp = (rows_bchp * weight_y_bph.transpose(1, 2)[:, None]).sum(dim=2)
    return samples_bcp.transpose(1, 2)
