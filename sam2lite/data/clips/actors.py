"""Things in a scene: a skin, an outline that bends, and a pose for every frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.camera import Camera, compose, similarity
from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.outlines import Outline, draw_outline, wobble
from sam2lite.data.clips.paths import excursion, wander
from sam2lite.data.clips.surfaces import Surface, cut_surface, draw_surface, retone

MAX_SKIN_PX = 448
_HIDDEN_OBJECT_SIZE = 0.3  # of the side at most: what covers it must leave the frame again


@dataclass(frozen=True)
class Actor:
    """One thing, ready to be drawn.

    A pose maps the outline's units to pixels of the frame. The skin is a square centred on the
    outline; `reach` is half its side in the outline's units. Shapes: outlines [T, V, 2], poses
    [T, 2, 3].
    """

    label: int
    skin: Surface
    reach: float
    outline: Outline
    outlines: NDArray[np.float64]
    poses: NDArray[np.float64]

    def polygons(self) -> NDArray[np.float64]:
        """Return the outlines in pixels of the frame; shape [T, V, 2]."""
        turned = self.outlines @ self.poses[:, :, :2].transpose(0, 2, 1)
        polygons: NDArray[np.float64] = turned + self.poses[:, None, :, 2]
        return polygons

    def radius_px(self) -> float:
        """Return the distance of the farthest vertex from the centre, over all frames."""
        return float(np.linalg.norm(self.polygons() - self.poses[:, None, :, 2], axis=2).max())


def draw_objects(
    rng: np.random.Generator, config: ClipConfig, camera: Camera, background: Surface
) -> list[Actor]:
    """Return the labelled objects, 1 to N, in the order of their labels."""
    objects: list[Actor] = []
    for label in range(1, int(rng.integers(config.objects[0], config.objects[1] + 1)) + 1):
        objects.append(_draw_object(rng, config, camera, background, label, objects))
    return objects


def _draw_object(
    rng: np.random.Generator,
    config: ClipConfig,
    camera: Camera,
    background: Surface,
    label: int,
    others: list[Actor],
) -> Actor:
    held = config.hide_object and label == 1
    low, high = config.object_size
    size = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    radius_px = 0.5 * config.side_px * (min(size, max(low, _HIDDEN_OBJECT_SIZE)) if held else size)

    twin_of = others[rng.integers(len(others))] if others else None
    same_skin, same_outline = _draw_likeness(rng, config.twin_probability)
    outline = twin_of.outline if twin_of and same_outline else draw_outline(rng)
    outlines = wobble(rng, outline, config.frames, config.wobble.draw(rng))
    reach = 1.02 * float(np.abs(outlines).max())

    poses = compose(
        camera.views(1.0 + config.parallax.draw(rng)),
        _draw_poses(rng, config, radius_px, reach, held),
    )
    if held:  # at least its centre is in view, and no other object is drawn over it
        corner = np.array([config.width - 1, config.height - 1])
        poses[:, :, 2] = np.clip(poses[:, :, 2], 0.1 * corner, 0.9 * corner)

    if twin_of and same_skin:
        skin = retone(rng, twin_of.skin, 0.03, 0.12)
    else:
        side = int(np.clip(2.0 * reach * radius_px, 16, MAX_SKIN_PX))
        if rng.random() < config.camouflage_probability:
            skin = retone(rng, cut_surface(rng, background, side), 0.1, 0.35)
        else:
            skin = draw_surface(rng, config.seed_space, side, side, max_parts=2)
    return Actor(label, skin, reach, outline, outlines, poses)


def _draw_likeness(rng: np.random.Generator, probability: float) -> tuple[bool, bool]:
    """Return whether a twin shares the skin and whether it shares the outline."""
    if rng.random() >= probability:
        return False, False
    return ((True, False), (False, True), (True, True))[rng.integers(3)]


def _draw_poses(
    rng: np.random.Generator, config: ClipConfig, radius_px: float, reach: float, held: bool
) -> NDArray[np.float64]:
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


def _way_out(
    start: NDArray[np.float64], size: NDArray[np.float64], extent_px: float
) -> NDArray[np.float64]:
    """Return the displacement that takes an object of that extent beyond the nearest edge."""
    to_edges = np.concatenate([start, size - start])
    edge = int(to_edges.argmin())
    displacement = np.zeros(2)
    displacement[edge % 2] = (to_edges[edge] + extent_px) * (-1.0 if edge < 2 else 1.0)
    return displacement
