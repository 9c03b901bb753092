"""`generate_clip`: from a seed to frames and labels."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.clip import Clip
from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.actors import Actor
from sam2lite.data.clips.objects.raster import draw_background, draw_part
from sam2lite.data.clips.objects.tracks import Track, motion_kernels, velocity
from sam2lite.data.clips.scene import Scene, draw_scene
from sam2lite.data.clips.surroundings.lens import draw_lens
from sam2lite.data.clips.surroundings.shadows import Shadow
from sam2lite.data.clips.surroundings.surfaces import Surface
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

    shape = (config.frames, config.height, config.width)
    frames = np.empty((*shape, 3), np.uint8)
    names = np.full(shape, _name(scene.background_label, 1), np.uint16)
    camera_motion = shutter * velocity(_centre_in_view(scene.background_poses, config))
    camera_blur = motion_kernels(camera_motion)
    drawn = [_Drawn(actor, scene, config, shutter) for actor in scene.actors]
    for index in range(config.frames):
        frame = draw_background(
            scene.background,
            scene.background_poses[index],
            config.height,
            config.width,
            camera_blur[index],
        )
        for item in drawn:
            item.draw(frame, names[index], index)
        frames[index] = lens.expose(frame, index)
    return _finish(frames, names)


class _Drawn:
    """An actor with all that is worked out before the first frame."""

    def __init__(self, actor: Actor, scene: Scene, config: ClipConfig, shutter: float) -> None:
        self._label = actor.label
        self._tracks = Track.of_all(actor.parts(), config.width, config.height, shutter)
        casts = actor.shadow and self._tracks
        self._shadow = Shadow(self._tracks, scene.shadow_xy, actor.shadow) if casts else None

    def draw(self, frame: Surface, names_hw: NDArray[np.uint16], index: int) -> None:
        if self._shadow is not None:
            self._shadow.darken(frame, index)
        for track in self._tracks:
            draw_part(frame, names_hw, _name(self._label, track.part.number), track, index)


def _name(label: int, part: int) -> int:
    """Return label and part as one number; label 0 has no parts."""
    return 256 * label + part if label else 0


def _centre_in_view(poses: NDArray[np.float64], config: ClipConfig) -> NDArray[np.float64]:
    """Return where the background's point at the centre of the first frame lies, [T, 2]."""
    centre = np.array([config.width, config.height]) / 2.0
    point = np.linalg.solve(poses[0, :, :2], centre - poses[0, :, 2])
    return poses[:, :, :2] @ point + poses[:, :, 2]


def _finish(frames: NDArray[np.uint8], names: NDArray[np.uint16]) -> Clip:
    labels, parts = (names >> 8).astype(np.uint8), (names & 255).astype(np.uint8)
    histograms = [cv2.calcHist([label], [0], None, [256], [0, 256]) for label in labels]
    area = np.stack(histograms).reshape(len(labels), 256).astype(np.int64)
    object_ids = [int(label) for label in np.flatnonzero(area.any(0)) if label]
    return Clip(frames, labels, parts, object_ids, area[:, object_ids])
