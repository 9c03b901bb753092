"""How things on a photograph move: smooth random walks of affine and perspective maps, and bends.

Frame coordinates have the frame's height as their unit, x to the right and y down, from its top
left corner. So a turn stays a turn when the frame is stretched to the network's square.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Walk = NDArray[np.float64]
Poses = NDArray[np.float64]

_KEPT = 0.85  # of the velocity, from one frame to the next
_BEND_CELLS = 4  # of the coarse grid of displacements, along each side
_MOST_BEND = 0.06  # of the size of the thing


class Strength(NamedTuple):
    """Change from one frame to the next, as standard deviations.

    Attributes:
        shift: frame heights.
        turn: radians.
        zoom: natural log.
        shear: share.
        tilt: perspective, share of the scale across one frame height.
        bend: share of the thing's size.
    """

    shift: float = 0.012
    turn: float = 0.021
    zoom: float = 0.012
    shear: float = 0.008
    tilt: float = 0.010
    bend: float = 0.005

    def times(self, factor: float) -> "Strength":
        """Return all of it, stronger or weaker."""
        return Strength(*(factor * value for value in self))


def walk(rng: np.random.Generator, frames: int, channels: int, at_rest: int) -> Walk:
    """Return a walk of unit steps with a smooth velocity, zero in one frame.

    Args:
        rng: of this clip.
        frames: T.
        channels: C.
        at_rest: the frame in which it is zero.

    Returns:
        float64 [T, C].
    """
    push = rng.standard_normal((frames, channels))
    velocity = np.empty_like(push)
    velocity[0] = push[0]
    for index in range(1, frames):
        velocity[index] = _KEPT * velocity[index - 1] + np.sqrt(1 - _KEPT**2) * push[index]
    path = np.cumsum(velocity, axis=0)
    return np.asarray(path - path[at_rest])


def draw_poses(
    rng: np.random.Generator,
    frames: int,
    strength: Strength,
    centre_xy: tuple[float, float],
    at_rest: int,
) -> Poses:
    """Return maps of the plane about a centre, the identity in frame `at_rest`.

    Shape: [T, 3, 3], frame coordinates to frame coordinates.
    """
    path = walk(rng, frames, 8, at_rest)
    shift, turn, zoom = path[:, :2] * strength.shift, path[:, 2] * strength.turn, path[:, 3]
    shear, tilt = path[:, 4:6] * strength.shear, path[:, 6:8] * strength.tilt
    scale = np.exp(np.clip(zoom * strength.zoom, -0.7, 0.7))
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    poses = np.zeros((frames, 3, 3))
    poses[:, 0, 0], poses[:, 0, 1] = cosine, -sine + shear[:, 0]
    poses[:, 1, 0], poses[:, 1, 1] = sine + shear[:, 1], cosine
    poses[:, :2, 2] = shift
    poses[:, 2, :2] = np.clip(tilt, -0.25, 0.25)
    poses[:, 2, 2] = 1.0
    away, back = np.eye(3), np.eye(3)
    away[:2, 2] = centre_xy
    back[:2, 2] = -np.asarray(centre_xy)
    return np.asarray(away @ poses @ back)


def draw_bends(
    rng: np.random.Generator, frames: int, strength: Strength, at_rest: int
) -> NDArray[np.float32]:
    """Return coarse displacements that make a thing bend and swell, zero in frame `at_rest`.

    Shape: [T, G, G, 2], as shares of the thing's width and height.
    """
    channels = _BEND_CELLS * _BEND_CELLS * 2
    path = strength.bend * walk(rng, frames, channels, at_rest)
    bounded = _MOST_BEND * np.tanh(path / _MOST_BEND)
    return bounded.reshape(frames, _BEND_CELLS, _BEND_CELLS, 2).astype(np.float32)


def in_pixels(poses: Poses, side: int, aspect: float) -> Poses:
    """Return maps of the stretched square of `side` px that do what `poses` do in the frame."""
    stretch = np.diag([side / aspect, float(side), 1.0])
    return np.asarray(stretch @ poses @ np.linalg.inv(stretch))
