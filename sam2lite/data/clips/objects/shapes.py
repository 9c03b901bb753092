"""Which shape an object has, and how it bends over time."""

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.holed import draw_holed
from sam2lite.data.clips.objects.outlines import draw_outline
from sam2lite.data.clips.surroundings.bands import draw_thin

_FINEST_SIDES = 0.016  # the width of the finest stroke; nothing is thinner than that

_Rng = np.random.Generator


def draw_shape(rng: _Rng, config: ClipConfig, radius_px: float) -> NDArray[np.float64]:
    """Return a random shape of about the area of the unit circle, filled by the even-odd rule.

    A shape is plain where `radius_px` is too small for strokes. Shape: [C, VERTICES, 2].
    """
    finest = _FINEST_SIDES * config.side_px / radius_px
    chance = rng.random()
    if finest < 0.5 and chance < config.thin_probability:
        return draw_thin(rng, finest)
    if finest < 0.25 and chance > 1.0 - config.holed_probability:
        return draw_holed(rng, finest)
    return draw_outline(rng)[None]


def animate_shape(
    rng: _Rng, shape: NDArray[np.float64], frames: int, wobble: float, bend: float
) -> NDArray[np.float64]:
    """Let waves run around a shape (`wobble`) and along it (`bend`), both in radii.

    Every point moves by its place alone, so that outlines never cross their holes.

    Shape: [frames, C, VERTICES, 2].
    """
    time = np.arange(frames)[:, None, None]
    angle = np.arctan2(shape[..., 1], shape[..., 0])
    swelling = np.zeros((frames, *shape.shape[:2]))
    for harmonic in (2, 3, 4):
        speed, phase = rng.uniform(-0.5, 0.5), rng.uniform(0.0, 2.0 * np.pi)
        swelling += np.sin(harmonic * angle + speed * time + phase) / 3.0
    moved: NDArray[np.float64] = shape * (1.0 + wobble * swelling)[..., None]
    pitch, speed, phase = rng.uniform(1.0, 2.5), rng.uniform(-0.5, 0.5), rng.uniform(0.0, 6.28)
    moved[..., 1] += bend * np.sin(pitch * shape[..., 0] + speed * time + phase)
    return moved
