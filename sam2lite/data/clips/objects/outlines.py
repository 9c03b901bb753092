"""Closed outlines of compact objects.

Every outline runs once around its centre, so that the centre lies inside.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

VERTICES = 72

Outline = NDArray[np.float64]
_Rng = np.random.Generator

_ANGLES = np.linspace(0.0, 2.0 * np.pi, VERTICES, endpoint=False)
_UNIT_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)


def _ellipse(_: _Rng) -> Outline:
    return _UNIT_CIRCLE.copy()


def _superellipse(rng: _Rng) -> Outline:
    """Return something between a diamond and a rectangle (Lamé curve)."""
    power = float(np.exp(rng.uniform(np.log(0.9), np.log(8.0))))
    radius = (np.abs(_UNIT_CIRCLE) ** power).sum(1) ** (-1.0 / power)
    outline: Outline = _UNIT_CIRCLE * radius[:, None]
    return outline


def _fourier_blob(rng: _Rng) -> Outline:
    radius = np.ones(VERTICES)
    for harmonic in range(2, 7):
        amplitude = rng.uniform(0.0, 0.45) / harmonic
        radius += amplitude * np.cos(harmonic * _ANGLES + rng.uniform(0.0, 2.0 * np.pi))
    return _UNIT_CIRCLE * np.maximum(radius, 0.3)[:, None]


def _polygon(rng: _Rng) -> Outline:
    corners = int(rng.integers(3, 9))
    turn = (np.arange(corners) + rng.uniform(-0.3, 0.3, corners)) / corners
    return _join_corners(turn, rng.uniform(0.75, 1.25, corners))


def _star(rng: _Rng) -> Outline:
    points = int(rng.integers(3, 9))
    turn = np.arange(2 * points) / (2 * points)
    return _join_corners(turn, np.tile([1.0, rng.uniform(0.2, 0.75)], points))


def _join_corners(turn: NDArray[np.float64], radius: NDArray[np.float64]) -> Outline:
    """Return the polygon with corners at shares `turn` of a full turn, edges cut up evenly."""
    corner_xy = radius[:, None] * np.stack([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)], 1)
    closed_xy = np.concatenate([corner_xy, corner_xy[:1]])
    # Corners fall on vertices up to rounding; a cut corner is as good an outline as any.
    at = np.linspace(0.0, len(turn), VERTICES, endpoint=False)
    along = np.arange(len(turn) + 1)
    return np.stack([np.interp(at, along, closed_xy[:, axis]) for axis in range(2)], 1)


KINDS: tuple[Callable[[_Rng], Outline], ...] = (
    _ellipse,
    _superellipse,
    _fourier_blob,
    _polygon,
    _star,
)


def draw_outline(rng: _Rng) -> Outline:
    """Return a random outline with the area of the unit circle, stretched by up to 3 to 1.

    Shape: [VERTICES, 2], x and y.
    """
    outline = KINDS[rng.integers(len(KINDS))](rng)
    outline *= np.array([1.0, np.exp(rng.uniform(np.log(0.33), 0.0))])
    scaled: Outline = unit_area(outline[None])[0]
    return scaled


def unit_area(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale outlines [C, V, 2] so that the first one has the area of the unit circle."""
    x, y = shape[0].T
    area = 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
    scaled: NDArray[np.float64] = shape * np.sqrt(np.pi / area)
    return scaled


def resample(corners_xy: NDArray[np.float64]) -> Outline:
    """Return `VERTICES` points, evenly spaced along a closed polygon [N, 2]."""
    closed_xy = np.concatenate([corners_xy, corners_xy[:1]])
    along = np.cumsum(np.r_[0.0, np.linalg.norm(np.diff(closed_xy, axis=0), axis=1)])
    at = np.linspace(0.0, along[-1], VERTICES, endpoint=False)
    return np.stack([np.interp(at, along, closed_xy[:, axis]) for axis in range(2)], 1)
