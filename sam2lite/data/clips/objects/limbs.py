"""Parts joined to a body: limbs that swing on joints, and patches that lie on it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.objects.actors import Part, reach_of
from sam2lite.data.clips.objects.outlines import draw_outline
from sam2lite.data.clips.surroundings.bands import band
from sam2lite.data.clips.surroundings.camera import compose, similarity
from sam2lite.data.clips.surroundings.surfaces import Surface

_MAX_LIMBS = 5
_STEPS = 8
_Rng = np.random.Generator


class Limb(NamedTuple):
    """One limb of up to two segments, in radii of the body, radians and radians per frame."""

    joint_xy: NDArray[np.float64]
    rest_angle: float
    lengths: tuple[float, ...]
    width: float
    pace: float
    phase: float


class Patch(NamedTuple):
    """A shape on the body: outline [V, 2], place and size in radii of the body."""

    outline: NDArray[np.float64]
    at_xy: NDArray[np.float64]
    size: float


def draw_limbs(rng: _Rng, shape: NDArray[np.float64]) -> list[Limb]:
    """Return limbs joined to vertices of a body's outer outline; shape [C, V, 2]."""
    count = int(rng.integers(2, _MAX_LIMBS + 1))
    turn = (np.arange(count) + rng.uniform(-0.25, 0.25, count)) / count + rng.random()
    width = rng.uniform(0.25, 0.5)
    length = rng.uniform(0.7, 1.5)
    segments = int(rng.integers(1, 3))
    pace = rng.uniform(0.2, 0.8)
    limbs = []
    for share in turn:
        joint = shape[0, int(share * shape.shape[1]) % shape.shape[1]]
        lengths = tuple(length * rng.uniform(0.7, 1.1) / segments for _ in range(segments))
        angle = float(np.arctan2(joint[1], joint[0])) + rng.normal(0.0, 0.4)
        limbs.append(Limb(0.75 * joint, angle, lengths, width, pace, rng.uniform(0.0, 6.28)))
    return limbs


def draw_patches(rng: _Rng, shape: NDArray[np.float64]) -> list[Patch]:
    """Return one or two patches on a body of that shape; shape [C, V, 2]."""
    inner = float(np.linalg.norm(shape[0], axis=1).min())
    patches = []
    for _ in range(int(rng.integers(1, 3))):
        size = inner * rng.uniform(0.2, 0.55)
        patches.append(Patch(draw_outline(rng), rng.uniform(-0.5, 0.5, 2) * inner, size))
    return patches


def pose_limbs(limbs: list[Limb], body: Part, skin: Surface, swing: float) -> tuple[Part, ...]:
    """Return limbs that swing by `swing` radians to either side, numbered from 2.

    The segments of one limb have the same number.
    """
    time = np.arange(len(body.poses))
    parts = []
    for number, limb in enumerate(limbs, start=2):
        poses, joint, rest, width = body.poses, limb.joint_xy, limb.rest_angle, limb.width
        for length in limb.lengths:
            angle = rest + swing * np.sin(limb.pace * time + limb.phase)
            local = np.concatenate(
                [similarity(np.ones(len(time)), angle), np.tile(joint[:, None], (len(time), 1, 1))],
                2,
            )
            poses = compose(poses, local)
            outlines = np.tile(_segment(length, width), (len(time), 1, 1, 1))
            parts.append(Part(number, skin, reach_of(outlines), outlines, poses))
            joint, rest, width = np.array([0.9 * length, 0.0]), 0.3, 0.8 * width
    return tuple(parts)


def pose_patches(patches: list[Patch], body: Part, skin: Surface, first: int) -> tuple[Part, ...]:
    """Return patches that lie still on their body, numbered from `first`."""
    parts = []
    for number, patch in enumerate(patches, start=first):
        outlines = np.tile(patch.outline, (len(body.poses), 1, 1, 1))
        local = np.concatenate([patch.size * np.eye(2), patch.at_xy[:, None]], 1)
        poses = compose(body.poses, local)
        parts.append(Part(number, skin, reach_of(outlines), outlines, poses))
    return tuple(parts)


def _segment(length: float, width: float) -> NDArray[np.float64]:
    """Return a rounded, tapered bar from the origin along x; shape [VERTICES, 2]."""
    x = np.linspace(-0.5 * width, length, _STEPS)
    share = np.linspace(-1.0, 1.0, _STEPS)
    round_off = np.sqrt(1.0 - 0.9 * share**8)
    return band(np.stack([x, np.zeros(_STEPS)], 1), width * round_off * (1.0 - 0.2 * share))
