"""Where things are: Fourier features, position tables, area resampling. Constants per rung.

None of it depends on the image, so a trace at a fixed rung bakes all of it into constants and no
Resize node is left in a graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def bilinear_samples(maps: Sequence[Tensor], xy_norm_bpc: Tensor) -> Tensor:
    """Sample square maps at points, bilinearly, with MatMuls only (no GridSample).

    The weight of a cell is a hat function of its distance to the point, which is bilinear
    interpolation written as a product: weights are separable, so two small MatMuls a map do. The
    weights of all maps and both axes come from one run of operators over all cells side by side:
    on a CPU an operator costs more than what it computes here.

    Shape: maps `[b, c, h, h]` of any h and c, points `[b, p, 2]` (x, y in 0..1) ->
    `[b, p, sum of c]`.
    """
    sides = [int(x_bchw.shape[-1]) for x_bchw in maps]
    side_m = torch.cat([torch.full((side,), float(side)) for side in sides]).to(xy_norm_bpc)
    cell_m = torch.cat([torch.arange(side) for side in sides]).to(xy_norm_bpc)
    # Points nearer to the border than half a cell take the border cell's value.
    place_bpcm = (xy_norm_bpc[..., None] * side_m - 0.5).clamp(min=0.0)
    place_bpcm = torch.minimum(place_bpcm, side_m - 1.0)
    weight_bcmp = torch.relu(1.0 - (place_bpcm - cell_m).abs()).permute(0, 2, 3, 1)
    samples = []
    for x_bchw, weight_bchp in zip(maps, torch.split(weight_bcmp, sides, dim=2), strict=True):
        rows_bchp = x_bchw @ weight_bchp[:, :1]
        samples.append((rows_bchp * weight_bchp[:, 1:]).sum(dim=2))
    return torch.cat(samples, dim=1).transpose(1, 2)
