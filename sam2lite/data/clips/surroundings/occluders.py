"""Large things that cross the frame and are no objects themselves: their label is 0."""

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.actors import Actor, Part, reach_of, skin_side_px
from sam2lite.data.clips.objects.outlines import Outline, draw_outline
from sam2lite.data.clips.objects.paths import crossing
from sam2lite.data.clips.surroundings.camera import similarity
from sam2lite.data.clips.surroundings.surfaces import draw_surface


def draw_occluder(rng: np.random.Generator, config: ClipConfig) -> Actor:
    """Return something large that crosses the frame in a few frames; its label is 0."""
    frames, side = config.frames, config.side_px
    radius_px = 0.5 * side * rng.uniform(0.4, 0.8)
    middle = int(rng.integers(frames))
    anchor = rng.uniform(0.2, 0.8, 2) * [config.width, config.height]
    speed = rng.uniform(0.08, 0.25) * side
    path = anchor + crossing(frames, middle, middle, speed * _direction(rng))
    return _occluder(rng, config, draw_outline(rng), path, radius_px)


def draw_cover(rng: np.random.Generator, config: ClipConfig, target: Part) -> Actor:
    """Return an occluder that covers all of `target` in the middle fifth of the clip.

    It clears the target at both ends, whatever the size and the motion of the two.
    """
    last_frame = config.frames - 1
    first = max(1, int(0.4 * last_frame))
    last = max(first, int(0.6 * last_frame))
    outline = max((draw_outline(rng) for _ in range(8)), key=_roundness)
    distance = np.hypot(*outline.T)
    hidden_px = target.radius_px()
    # An edge between two vertices comes nearer to the centre than they do, hence the margin.
    radius_px = 1.25 * hidden_px / float(distance.min())
    clearance_px = 1.1 * (hidden_px + radius_px * float(distance.max()))
    frames_to_clear = min(first, last_frame - last, 6)
    velocity = clearance_px / frames_to_clear * _direction(rng)
    path = target.poses[:, :, 2] + crossing(config.frames, first, last, velocity)
    return _occluder(rng, config, outline, path, radius_px)


def _roundness(outline: Outline) -> float:
    distance = np.hypot(*outline.T)
    return float(distance.min() / distance.max())


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(0.0, 2.0 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _occluder(
    rng: np.random.Generator,
    config: ClipConfig,
    outline: Outline,
    path: NDArray[np.float64],
    radius_px: float,
) -> Actor:
    frames = config.frames
    angle = np.full(frames, rng.uniform(0.0, 2.0 * np.pi))
    linear = similarity(np.full(frames, radius_px), angle)
    outlines = np.tile(outline, (frames, 1, 1, 1))
    reach = reach_of(outlines)
    side = skin_side_px(reach, radius_px)
    skin = draw_surface(rng, config, side, side, max_parts=2)
    poses = np.concatenate([linear, path[:, :, None]], 2)
    return Actor(0, Part(1, skin, reach, outlines, poses))
