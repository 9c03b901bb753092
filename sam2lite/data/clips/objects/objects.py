"""The labelled objects of a clip, each like or unlike those before it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.actors import Actor, Part, reach_of, skin_side_px
from sam2lite.data.clips.objects.limbs import (
    Limb,
    Patch,
    draw_limbs,
    draw_patches,
    pose_limbs,
    pose_patches,
)
from sam2lite.data.clips.objects.outlines import draw_outline
from sam2lite.data.clips.objects.shapes import animate_shape, draw_shape
from sam2lite.data.clips.placement import draw_poses, meet, ride
from sam2lite.data.clips.surroundings.camera import Camera, compose
from sam2lite.data.clips.surroundings.surfaces import Surface, cut_surface, draw_surface, retone

_HIDDEN_OBJECT_SIZE = 0.3  # of the side at most: what covers it must leave the frame again


class Design(NamedTuple):
    """What an object looks like, apart from its texture: what twins may share."""

    shape: NDArray[np.float64]
    limbs: list[Limb]
    patches: list[Patch]


class Placed(NamedTuple):
    """An object, its design, and the object that it rides on, by index."""

    actor: Actor
    design: Design
    carrier: int | None


def draw_objects(
    rng: np.random.Generator, config: ClipConfig, camera: Camera, background: Surface
) -> list[Placed]:
    """Return the labelled objects, 1 to N, in the order of their labels."""
    objects: list[Placed] = []
    for label in range(1, int(rng.integers(config.objects[0], config.objects[1] + 1)) + 1):
        objects.append(_draw_object(rng, config, camera, background, label, objects))
    return objects


def _draw_object(
    rng: np.random.Generator,
    config: ClipConfig,
    camera: Camera,
    background: Surface,
    label: int,
    others: list[Placed],
) -> Placed:
    held = config.hide_object and label == 1
    low, high = config.object_size
    size = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    radius_px = 0.5 * config.side_px * (min(size, max(low, _HIDDEN_OBJECT_SIZE)) if held else size)

    twin = others[rng.integers(len(others))] if others else None
    same_skin, same_design = _draw_likeness(rng, config.twin_probability)
    design = twin.design if twin and same_design else _draw_design(rng, config, radius_px, held)
    outlines = animate_shape(
        rng, design.shape, config.frames, config.wobble.draw(rng), config.bend.draw(rng)
    )
    reach = reach_of(outlines)

    poses = compose(
        camera.views(1.0 + config.parallax.draw(rng)),
        draw_poses(rng, config, radius_px, reach, held),
    )
    carrier = _draw_carrier(rng, config, others)
    if carrier is not None:
        poses = ride(rng, others[carrier].actor.body.poses, config.frames)
    elif twin and rng.random() < config.meeting_probability:
        poses = meet(rng, poses, twin.actor.body.poses, radius_px)
    if held:  # at least its centre is in view, and no other object is drawn over it
        corner = np.array([config.width - 1, config.height - 1])
        poses[:, :, 2] = np.clip(poses[:, :, 2], 0.1 * corner, 0.9 * corner)

    if twin and same_skin:
        skin = retone(rng, twin.actor.body.skin, 0.03, 0.12)
    else:
        skin = _draw_skin(rng, config, background, skin_side_px(reach, radius_px))
    body = Part(1, skin, reach, outlines, poses)
    return Placed(_assemble(rng, config, label, body, design), design, carrier)


def _draw_likeness(rng: np.random.Generator, probability: float) -> tuple[bool, bool]:
    """Return whether a twin shares the skin and whether it shares the design."""
    if rng.random() >= probability:
        return False, False
    return ((True, False), (False, True), (True, True))[rng.integers(3)]


def _draw_carrier(rng: np.random.Generator, config: ClipConfig, others: list[Placed]) -> int | None:
    """Return which object another one rides on: none that rides itself, or that is held."""
    carriers = [index for index, other in enumerate(others) if other.carrier is None]
    if config.hide_object:
        carriers = carriers[1:]
    if carriers and rng.random() < config.rider_probability:
        return int(rng.choice(carriers))
    return None


def _draw_design(
    rng: np.random.Generator, config: ClipConfig, radius_px: float, held: bool
) -> Design:
    if held:
        return Design(draw_outline(rng)[None], [], [])
    jointed = rng.random() < config.limbs_probability
    patched = rng.random() < config.patch_probability
    if not (jointed or patched):
        return Design(draw_shape(rng, config, radius_px), [], [])
    shape = draw_outline(rng)[None]  # nothing else has room for them
    limbs = draw_limbs(rng, shape) if jointed else []
    return Design(shape, limbs, draw_patches(rng, shape) if patched else [])


def _draw_skin(
    rng: np.random.Generator, config: ClipConfig, background: Surface, side: int
) -> Surface:
    if rng.random() < config.camouflage_probability:
        return retone(rng, cut_surface(rng, background, side), 0.1, 0.35)
    return draw_surface(rng, config, side, side, max_parts=2)


def _assemble(
    rng: np.random.Generator, config: ClipConfig, label: int, body: Part, design: Design
) -> Actor:
    """Join limbs and patches to a body; they have its material or another one."""
    swing = np.radians(config.swing.draw(rng))
    shadow = config.shadow.draw(rng)
    if not design.limbs and not design.patches:
        return Actor(label, body, shadow=shadow)
    side = max(16, len(body.skin) // 2)
    other = draw_surface(rng, config, side, side, max_parts=1)
    limb_skin = other if rng.random() < 0.5 else retone(rng, body.skin, 0.03, 0.15)
    limbs = pose_limbs(design.limbs, body, limb_skin, swing)
    patches = pose_patches(design.patches, body, other, 2 + len(design.limbs))
    return Actor(label, body, limbs, patches, shadow)
