"""Position tables of SAM 2: sine, rotary, and random Fourier features."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sam2lite.contracts.families.sam2 import EMBED_CHANNELS, MEMORY_CHANNELS

Rotation = tuple[Tensor, Tensor]  # cosines and sines, [tokens, 128] each

_TEMPERATURE = 10000.0
_EPSILON = 1e-6


class Places(NamedTuple):
    """Where the tokens of a frame's memory are.

    Attributes:
        position_nc: `[N, 64]`, added to memory in keys.
        rotation: of keys; cosines are 1 and sines 0 where a token has no place.
    """

    position_nc: Tensor
    rotation: Rotation


def cell_places(height: int, width: int) -> Places:
    """Return the places of tokens that are the cells of a grid, row by row."""
    return Places(
        sine_table(height, width, MEMORY_CHANNELS), rotary_table(height, width, EMBED_CHANNELS)
    )


def sine_table(height: int, width: int, channels: int) -> Tensor:
    """Return the sine table of a grid, `[height * width, channels]`: rows first, then columns.

    Coordinates run from 1/n to 1 of a whole turn; sine and cosine alternate ("End-to-End Object
    Detection with Transformers", arXiv 2005.12872, normalised form).
    """
    half = channels // 2
    power = torch.arange(half).div(2, rounding_mode="floor") * 2 / half
    period = _TEMPERATURE**power

    def axis(count: int) -> Tensor:
        steps = torch.arange(1, count + 1, dtype=torch.float32)
        angle = (steps / (count + _EPSILON) * (2 * math.pi))[:, None] / period
        return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2).flatten(1)

    rows = axis(height)[:, None].expand(height, width, half)
    columns = axis(width)[None].expand(height, width, half)
    return torch.cat([rows, columns], dim=2).reshape(height * width, channels)


def time_sine(time_bq: Tensor, channels: int) -> Tensor:
    """Return the sine encoding of points in time, `[B, Q, channels]`: all sines, then all cosines.

    Args:
        time_bq: any numbers.
        channels: of the encoding.
    """
    half = channels // 2
    power = torch.arange(half).div(2, rounding_mode="floor") * 2 / half
    angle = time_bq[..., None] / _TEMPERATURE**power
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def rotary_table(height: int, width: int, channels: int) -> Rotation:
    """Return cosines and sines of a grid's rotations, `[height * width, channels / 2]` each.

    The first half of the pairs turns with the column, the second with the row ("Rotary Position
    Embedding for Vision Transformer", arXiv 2403.13298, axial form).
    """
    quarter = channels // 4
    frequency = 1.0 / _TEMPERATURE ** (torch.arange(quarter) * 4.0 / channels)
    cells = torch.arange(height * width)
    column = (cells % width).float()[:, None] * frequency
    row = cells.div(width, rounding_mode="floor").float()[:, None] * frequency
    angle = torch.cat([column, row], dim=1)
    return angle.cos(), angle.sin()


def fourier_features(xy_norm: Tensor, matrix: Tensor) -> Tensor:
    """Return sines, then cosines, of points projected on random directions, `[..., 2 * F]`.

    Args:
        xy_norm: `[..., 2]`, x and y in 0..1.
        matrix: `[2, F]`, of the checkpoint.
    """
    angle = (2.0 * xy_norm - 1.0) @ matrix * (2 * math.pi)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def cell_centres(height: int, width: int) -> Tensor:
    """Return x and y of a grid's cells in 0..1, `[height * width, 2]`, row by row."""
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y = (column.flatten() + 0.5) / width, (row.flatten() + 0.5) / height
    return torch.stack([x, y], dim=1)
