"""Everything that a clip shows, drawn at random before its first frame is rendered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.actors import Actor, draw_objects
from sam2lite.data.clips.camera import draw_camera
from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.occluders import draw_cover, draw_occluder
from sam2lite.data.clips.surfaces import Surface, draw_surface

_MARGIN = 1.5  # of the background beyond the frame; what lies farther out is mirrored


@dataclass(frozen=True)
class Scene:
    """A background with its pose in every frame [T, 2, 3], and actors from back to front."""

    background: Surface
    background_poses: NDArray[np.float64]
    actors: list[Actor]


def draw_scene(rng: np.random.Generator, config: ClipConfig) -> Scene:
    """Return a random scene as `config` describes it."""
    camera = draw_camera(rng, config)
    height, width = int(config.height * _MARGIN), int(config.width * _MARGIN)
    background = draw_surface(rng, config.seed_space, height, width, max_parts=3)
    offset_px = np.array([config.width - width, config.height - height]) / 2.0
    views = camera.views(1.0)
    background_poses = views.copy()
    background_poses[:, :, 2] += views[:, :, :2] @ offset_px

    objects = draw_objects(rng, config, camera, background)
    # Large things are mostly farther back, or they would hide the rest.
    distance = [thing.radius_px() * np.exp(rng.normal(0.0, 0.7)) for thing in objects]
    actors = [objects[index] for index in np.argsort(distance)[::-1]]
    crossed = rng.random() < config.occluder_probability
    if config.hide_object:
        held = objects[0]
        actors = [thing for thing in actors if thing is not held]
        actors += [held, draw_cover(rng, config, held)]
    elif crossed:
        actors.append(draw_occluder(rng, config))
    return Scene(background, background_poses, actors)
