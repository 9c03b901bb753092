"""Large regions of the background: ground, sky, a wall. They move with it."""

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.actors import MAX_SKIN_PX, Actor, Part
from sam2lite.data.clips.objects.outlines import resample
from sam2lite.data.clips.surroundings.camera import Camera, compose
from sam2lite.data.clips.surroundings.surfaces import draw_surface

_FAR = 3.0  # sides: beyond what any camera sees
_EDGE_STEPS = 48


def draw_region(rng: np.random.Generator, config: ClipConfig, camera: Camera, label: int) -> Actor:
    """Return a region on one side of a wavy line across the frame."""
    side = config.side_px
    angle = rng.choice([0.0, np.pi]) + rng.normal(0.0, 0.5)
    cosine, sine = side * np.cos(angle), side * np.sin(angle)
    middle = rng.uniform(0.3, 0.7, 2) * [config.width, config.height]
    in_scene = np.array([[cosine, -sine, middle[0]], [sine, cosine, middle[1]]])
    poses = compose(camera.views(1.0), in_scene)
    skin_side = min(MAX_SKIN_PX, int(1.5 * max(config.width, config.height)))
    skin = draw_surface(rng, config, skin_side, skin_side, max_parts=2)
    outlines = np.tile(_wavy_half_plane(rng), (config.frames, 1, 1, 1))
    return Actor(label, Part(1, skin, 0.5 * skin_side / side, outlines, poses))


def _wavy_half_plane(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return what lies below a line with hills, in sides about the line; shape [V, 2]."""
    x = np.linspace(-_FAR, _FAR, _EDGE_STEPS)
    y = np.zeros(_EDGE_STEPS)
    for wavelength in (2.0, 1.0, 0.4):
        height = rng.uniform(0.0, 0.06) * wavelength
        y += height * np.sin(2.0 * np.pi * (x / wavelength + rng.random()))
    far = np.array([[_FAR, _FAR], [-_FAR, _FAR]])
    return resample(np.concatenate([np.stack([x, y], 1), far]))
