"""Horizontal bars, drawn with OpenCV: no plotting library is a dependency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.runtimes.video.overlay import PALETTE_BGR

_ROW, _WIDTH, _LEFT, _RIGHT, _TOP = 16, 1100, 430, 1020, 60  # px
_INK, _GRID, _PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
_TICKS = 8


class Bar(NamedTuple):
    """One bar: what it is, how long, and what it has in common with others of its colour."""

    label: str
    value: float
    group: str


def plot_bars(bars: Sequence[Bar], title: str, unit: str) -> NDArray[np.uint8]:
    """Draw bars from 0 on, in the order given, coloured by group.

    Args:
        bars: one or more; an infinite one reaches to the edge.
        title: ASCII.
        unit: ASCII.

    Returns:
        uint8 [height, width, 3], BGR.
    """
    longest = max([bar.value for bar in bars if math.isfinite(bar.value)] + [1e-9])
    step = _round_step(longest / _TICKS)
    most = step * math.ceil(longest / step + 0.5)
    image = np.full((_TOP + _ROW * (len(bars) + 1), _WIDTH, 3), _PAPER, np.uint8)
    _write(image, title, (20, 25), 0.55)
    for tick in range(round(most / step) + 1):
        x = _place(tick * step, most)
        cv2.line(image, (x, _TOP - 8), (x, len(image) - 8), _GRID, 1)
        _write(image, f"{tick * step:g} {unit}", (x - 16, _TOP - 14), 0.4)
    groups = list(dict.fromkeys(bar.group for bar in bars))
    for index, bar in enumerate(bars):
        y = _TOP + _ROW * index
        colour = PALETTE_BGR[groups.index(bar.group) % len(PALETTE_BGR)]
        end = _place(min(max(bar.value, 0.0), most), most)
        cv2.rectangle(image, (_LEFT, y + 3), (end, y + _ROW - 3), colour, cv2.FILLED)
        _write(image, bar.label, (20, y + _ROW - 4), 0.4)
        _write(image, f"{bar.value:.1f}", (end + 6, y + _ROW - 4), 0.4)
    return image


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not below."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


def _place(value: float, most: float) -> int:
    return round(_LEFT + (_RIGHT - _LEFT) * value / most)


def _write(image: NDArray[np.uint8], text: str, at: tuple[int, int], size: float) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
