"""`generate_clip`: from a seed to frames and labels."""

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.clip import Clip
from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.lens import draw_lens
from sam2lite.data.clips.raster import draw_actor, draw_background
from sam2lite.data.clips.scene import Scene, draw_scene
from sam2lite.errors import ArgumentError

_DEFAULT = ClipConfig()


def generate_clip(seed: int, config: ClipConfig = _DEFAULT) -> Clip:
    """Return the clip of a seed.

    All draws come from one generator that is seeded with (seed space, seed), so a clip is the
    same wherever and whenever it is made.

    Raises:
        ArgumentError: the seed is negative.
    """
    if seed < 0:
        raise ArgumentError(f"seed is {seed}; choose 0 or more")
    rng = np.random.default_rng((config.seed_space, seed))
    scene = draw_scene(rng, config)
    shutter = config.motion_blur.draw(rng)
    lens = draw_lens(rng, config)

    frames = np.empty((config.frames, config.height, config.width, 3), np.uint8)
    labels = np.zeros((config.frames, config.height, config.width), np.uint8)
    camera_motion = shutter * _velocity(_centre_in_view(scene.background_poses, config))
    tracks = [
        (actor, actor.polygons(), shutter * _velocity(actor.poses[:, :, 2]))
        for actor in scene.actors
    ]
    for index in range(config.frames):
        pose = scene.background_poses[index]
        frame = draw_background(
            scene.background, pose, config.height, config.width, camera_motion[index]
        )
        for actor, polygons, motion in tracks:
            draw_actor(
                frame, labels[index], actor, polygons[index], actor.poses[index], motion[index]
            )
        frames[index] = lens.expose(frame, index)
    return _finish(frames, labels, scene)


def _centre_in_view(poses: NDArray[np.float64], config: ClipConfig) -> NDArray[np.float64]:
    """Return where the background's point at the centre of the first frame lies, [T, 2]."""
    centre = np.array([config.width, config.height]) / 2.0
    point = np.linalg.solve(poses[0, :, :2], centre - poses[0, :, 2])
    return poses[:, :, :2] @ point + poses[:, :, 2]


def _velocity(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pixels per frame, [T, 2]; a clip of one frame stands still."""
    return np.gradient(path, axis=0) if len(path) > 1 else np.zeros_like(path)


def _finish(frames: NDArray[np.uint8], labels: NDArray[np.uint8], scene: Scene) -> Clip:
    count = max(actor.label for actor in scene.actors)
    area = np.stack([np.bincount(label.ravel(), minlength=count + 1)[1:] for label in labels])
    seen = np.flatnonzero(area.any(0))
    return Clip(frames, labels, [int(index) + 1 for index in seen], area[:, seen])
