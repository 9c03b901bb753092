"""Everything that a clip shows, drawn at random before its first frame is rendered."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.actors import Actor
from sam2lite.data.clips.objects.objects import Placed, draw_objects
from sam2lite.data.clips.surroundings.camera import draw_camera
from sam2lite.data.clips.surroundings.occluders import draw_cover, draw_occluder
from sam2lite.data.clips.surroundings.stuff import draw_region
from sam2lite.data.clips.surroundings.surfaces import Surface, draw_surface

_MARGIN = 1.5  # of the background beyond the frame; what lies farther out is mirrored
_SHADOW_SIDES = (0.02, 0.08)


@dataclass(frozen=True)
class Scene:
    """A background with its label and its pose in every frame [T, 2, 3], and what is before it.

    Actors are in order from back to front. Shadows fall `shadow_xy` pixels beside them.
    """

    background: Surface
    background_label: int
    background_poses: NDArray[np.float64]
    actors: list[Actor]
    shadow_xy: NDArray[np.float64]


def draw_scene(rng: np.random.Generator, config: ClipConfig) -> Scene:
    """Return a random scene as `config` describes it."""
    camera = draw_camera(rng, config)
    height, width = int(config.height * _MARGIN), int(config.width * _MARGIN)
    background = draw_surface(rng, config, height, width, max_parts=3)
    offset_px = np.array([config.width - width, config.height - height]) / 2.0
    views = camera.views(1.0)
    background_poses = views.copy()
    background_poses[:, :, 2] += views[:, :, :2] @ offset_px

    objects = draw_objects(rng, config, camera, background)
    actors = _from_back_to_front(rng, objects)
    crossed = rng.random() < config.occluder_probability
    if config.hide_object:
        held = objects[0].actor
        actors = [thing for thing in actors if thing is not held]
        actors += [held, draw_cover(rng, config, held.body)]
    elif crossed:
        actors.append(draw_occluder(rng, config))

    background_label = 0
    if rng.random() < config.stuff_probability:
        with_region, with_rest = ((True, False), (False, True), (True, True))[rng.integers(3)]
        if with_region:
            actors.insert(0, draw_region(rng, config, camera, len(objects) + 1))
        if with_rest:
            background_label = len(objects) + 1 + with_region
    angle = rng.uniform(0.0, np.pi)  # downwards or to a side
    reach_px = rng.uniform(*_SHADOW_SIDES) * config.side_px
    shadow_xy = reach_px * np.array([np.cos(angle), np.sin(angle)])
    return Scene(background, background_label, background_poses, actors, shadow_xy)


def _from_back_to_front(rng: np.random.Generator, objects: list[Placed]) -> list[Actor]:
    """Order objects by distance; what rides on another object lies directly upon it.

    Large things are mostly farther back, or they would hide the rest.
    """
    distance = [_extent_px(item.actor) * np.exp(rng.normal(0.0, 0.7)) for item in objects]
    actors = []
    for index in np.argsort(distance)[::-1]:
        if objects[index].carrier is None:
            actors.append(objects[index].actor)
            actors += [item.actor for item in objects if item.carrier == index]
    return actors


def _extent_px(actor: Actor) -> float:
    outer_xy = actor.body.polygons()[0, 0].astype(np.float32)
    return float(np.sqrt(cv2.contourArea(outer_xy)))
