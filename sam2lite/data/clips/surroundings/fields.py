"""Grey fields from which every texture is made, and a bank of them for each process.

A field has no colour: it selects from a palette, or where one texture gives way to another.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

FIELD_SIDE_PX = 320
BANK_SIZE = 160

FloatField = NDArray[np.float32]
_Rng = np.random.Generator


def _fractal_noise(rng: _Rng) -> FloatField:
    """Sum octaves of value noise, from smooth clouds to rough ground."""
    persistence = rng.uniform(0.35, 0.75)
    cells = int(rng.integers(2, 6))
    field = np.zeros((FIELD_SIDE_PX, FIELD_SIDE_PX), np.float32)
    weight = 1.0
    while cells < FIELD_SIDE_PX:
        octave = rng.random((cells, cells), dtype=np.float32)
        field += weight * cv2.resize(octave, field.shape, interpolation=cv2.INTER_CUBIC)
        cells *= 2
        weight *= persistence
    return field


def _ridges(rng: _Rng) -> FloatField:
    """Fold fractal noise about its median, which gives veins."""
    field = _fractal_noise(rng)
    distance: FloatField = np.abs(field - np.float32(np.median(field)))
    return -distance


def _ramp(rng: _Rng) -> FloatField:
    """Return a linear gradient in a random direction."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    axis = np.linspace(-1.0, 1.0, FIELD_SIDE_PX, dtype=np.float32)
    field: FloatField = np.float32(np.cos(angle)) * axis[None, :]
    return field + np.float32(np.sin(angle)) * axis[:, None]


def _gradient(rng: _Rng) -> FloatField:
    return _ramp(rng) + np.float32(rng.uniform(0.0, 0.5)) * _fractal_noise(rng)


def _waves(rng: _Rng) -> FloatField:
    """Return a wave along a bent ramp: stripes with soft or hard edges, or the grain of wood."""
    warp = np.float32(rng.choice([0.0, 0.15, 0.6]))
    phase = np.float32(rng.uniform(8.0, 60.0)) * (_ramp(rng) + warp * _fractal_noise(rng))
    return np.tanh(np.float32(rng.choice([0.5, 20.0])) * np.sin(phase))


def _checks(rng: _Rng) -> FloatField:
    return _waves(rng) * _waves(rng)


def _cells(rng: _Rng) -> FloatField:
    """Return Voronoi cells, each of one value, some with a darker rim."""
    seeds = np.ones((FIELD_SIDE_PX, FIELD_SIDE_PX), np.uint8)
    count = int(np.exp(rng.uniform(np.log(12), np.log(400))))
    seeds.flat[rng.choice(seeds.size, count, replace=False)] = 0
    distance, label = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value = rng.random(count + 1, dtype=np.float32)[label]
    rimmed: FloatField = value - np.float32(rng.uniform(0.0, 1.0)) * distance / distance.max()
    return rimmed


def _dead_leaves(rng: _Rng) -> FloatField:
    """Drop ellipses over one another, with radii by the power law of natural images."""
    field = np.full((FIELD_SIDE_PX, FIELD_SIDE_PX), 0.5, np.float32)
    smallest = rng.uniform(3.0, 12.0)
    radii = np.minimum(smallest * rng.random(350) ** -0.5, 80.0)
    for radius in np.sort(radii)[::-1]:  # large ones first, or they would bury the small ones
        x, y = (int(v) for v in rng.uniform(0, FIELD_SIDE_PX, 2))
        axes = (int(radius), int(radius * rng.uniform(0.3, 1.0)) + 1)
        cv2.ellipse(field, (x, y), axes, rng.uniform(0, 180), 0, 360, float(rng.random()), -1)
    return field


def _grain(rng: _Rng) -> FloatField:
    white = rng.standard_normal((FIELD_SIDE_PX, FIELD_SIDE_PX), dtype=np.float32)
    return cast(FloatField, cv2.GaussianBlur(white, (0, 0), float(rng.uniform(0.6, 2.5))))


_KINDS: tuple[Callable[[_Rng], FloatField], ...] = (
    _fractal_noise,
    _ridges,
    _gradient,
    _waves,
    _checks,
    _cells,
    _dead_leaves,
    _grain,
)


@lru_cache(maxsize=2 * BANK_SIZE)  # 32 MB: a training and a held-out space
def bank_field(seed_space: int, index: int) -> NDArray[np.uint8]:
    """Return one field of a bank of `BANK_SIZE`, read-only.

    It follows from its own two numbers alone, so that clips do not depend on which came before.

    Shape: [FIELD_SIDE_PX, FIELD_SIDE_PX], uint8, the whole range used.
    """
    rng = np.random.default_rng((seed_space, index, FIELD_SIDE_PX))
    field = _KINDS[index % len(_KINDS)](rng)
    stretched: NDArray[np.uint8] = cv2.normalize(
        field, np.empty_like(field), 0, 255, cv2.NORM_MINMAX
    ).astype(np.uint8)
    stretched.flags.writeable = False
    return stretched
