"""Thin shapes: a centre line with a width."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.objects.outlines import Outline, resample

_STEPS = 24

_Rng = np.random.Generator


def band(line_xy: NDArray[np.float64], width: NDArray[np.float64]) -> Outline:
    """Return the outline of a line [N, 2] that is `width` [N] wide; shape [VERTICES, 2]."""
    along = np.gradient(line_xy, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1)[:, None]
    half = 0.5 * width[:, None] * across
    return resample(np.concatenate([line_xy + half, (line_xy - half)[::-1]]))


def _rod(rng: _Rng, width: float) -> Outline:
    """Return a straight stick, of one width or tapered."""
    x = np.linspace(-1.0, 1.0, _STEPS)
    taper = rng.choice([0.0, 0.5])
    return band(np.stack([x, np.zeros(_STEPS)], 1), width * (1.0 - taper * x))


def _arc(rng: _Rng, width: float) -> Outline:
    angle = np.linspace(0.0, rng.uniform(0.6, 1.6) * np.pi, _STEPS)
    line = np.stack([np.cos(angle), np.sin(angle)], 1)
    return band(line - line.mean(0), np.full(_STEPS, width))


def _wave(rng: _Rng, width: float) -> Outline:
    x = np.linspace(-1.0, 1.0, _STEPS)
    phase = rng.uniform(2.0, 6.0) * x + rng.uniform(0.0, 2.0 * np.pi)
    line = np.stack([x, rng.uniform(0.1, 0.35) * np.sin(phase)], 1)
    return band(line, width * np.linspace(1.0, rng.uniform(0.4, 1.0), _STEPS))


def _spokes(rng: _Rng, width: float) -> Outline:
    """Return three to six arms of one width about a centre."""
    arms = int(rng.integers(3, 7))
    angle = 2.0 * np.pi * (np.arange(arms) + rng.uniform(-0.2, 0.2, arms)) / arms
    along = np.stack([np.cos(angle), np.sin(angle)], 1)
    across = 0.5 * width * np.stack([-along[:, 1], along[:, 0]], 1)
    length = rng.uniform(0.6, 1.0, (arms, 1))
    root = 0.7 * width * along / np.tan(np.pi / arms)  # beyond where neighbouring arms part
    corners = (root - across, length * along - across, length * along + across, root + across)
    return resample(np.stack(corners, 1).reshape(-1, 2))


KINDS: tuple[Callable[[_Rng, float], Outline], ...] = (_rod, _arc, _wave, _spokes)


def draw_thin(rng: _Rng, finest: float) -> NDArray[np.float64]:
    """Return a thin shape that reaches 1.6 units from its centre, and is `finest` wide or more.

    Shape: [1, VERTICES, 2], x and y.
    """
    reach = 1.6
    width = max(rng.uniform(0.08, 0.22), finest / reach)
    outline = KINDS[rng.integers(len(KINDS))](rng, width)
    outline *= reach / float(np.linalg.norm(outline, axis=1).max())
    return outline[None]
