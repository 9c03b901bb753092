"""Where an object is in every frame: on its own path, or riding on another object."""

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.paths import excursion, wander
from sam2lite.data.clips.surroundings.camera import compose, similarity

Poses = NDArray[np.float64]


def draw_poses(
    rng: np.random.Generator, config: ClipConfig, radius_px: float, reach: float, held: bool
) -> Poses:
    """Return poses in the scene: a wandering centre, spin and stretch; shape [T, 2, 3]."""
    frames, side = config.frames, config.side_px
    size = np.array([config.width, config.height])
    start = rng.uniform(0.08, 0.92, 2) * size
    centre = start + wander(rng, frames, 2, config.motion.draw(rng) * side)
    leaving = excursion(rng, frames)[:, None] * _way_out(start, size, 1.3 * reach * radius_px)
    if rng.random() < config.leave_probability and not held:
        centre = centre + leaving

    spin = rng.choice([-1.0, 1.0]) * np.radians(config.spin.draw(rng))
    angle = rng.uniform(0.0, 2.0 * np.pi) + spin * np.arange(frames)
    scale, aspect = np.exp(wander(rng, frames, 2, config.stretch.draw(rng))).T
    linear = similarity(radius_px * scale, angle)
    linear[:, :, 1] *= aspect[:, None]
    return np.concatenate([linear, centre[:, :, None]], 2)


def ride(rng: np.random.Generator, carrier: Poses, frames: int) -> Poses:
    """Return poses on a carrier of unit radius, near its centre; shape [T, 2, 3]."""
    size = np.full(frames, rng.uniform(0.3, 0.6))
    centre = rng.uniform(-0.35, 0.35, 2) + wander(rng, frames, 2, 0.15)
    linear = similarity(size, np.full(frames, rng.uniform(0.0, 2.0 * np.pi)))
    return compose(carrier, np.concatenate([linear, centre[:, :, None]], 2))


def meet(rng: np.random.Generator, poses: Poses, other: Poses, radius_px: float) -> Poses:
    """Shift a path so that in some frame the two centres are less than a radius apart."""
    frame = int(rng.integers(len(poses)))
    shift = other[frame, :, 2] - poses[frame, :, 2] + rng.uniform(-0.7, 0.7, 2) * radius_px
    moved = poses.copy()
    moved[:, :, 2] += shift
    return moved


def _way_out(
    start: NDArray[np.float64], size: NDArray[np.float64], extent_px: float
) -> NDArray[np.float64]:
    """Return the displacement that takes an object of that extent beyond the nearest edge."""
    to_edges = np.concatenate([start, size - start])
    edge = int(to_edges.argmin())
    displacement = np.zeros(2)
    displacement[edge % 2] = (to_edges[edge] + extent_px) * (-1.0 if edge < 2 else 1.0)
    return displacement
