"""`still_clip`: from a photograph with masks to a clip in which camera and objects move."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig, Effect
from sam2lite.data.clips.objects.tracks import motion_kernels, velocity
from sam2lite.data.clips.surroundings.lens import draw_lens
from sam2lite.data.stills.background import without_objects
from sam2lite.data.stills.bank import PictureBank
from sam2lite.data.stills.guests import draw_guest, leaving
from sam2lite.data.stills.layer import Layer, box_with_margin, cover_of
from sam2lite.data.stills.motion import Poses, Strength, draw_bends, draw_poses, in_pixels
from sam2lite.data.stills.window import View, draw_view, resized

MOST_MOVED = 6  # objects of a photograph that move on their own; the largest
_APART = 0.6  # of clips, in which objects move on their own; in the others with the camera alone
_APART_AT_ONCE = 0.15  # of single frames, where it can only do harm to the picture
_ELSEWHERE = 0.25  # of those, before another photograph
_STILL_CAMERA = 0.25
_LEAVES = 0.2  # of objects that move on their own, in clips of some length
_LEAVES_LEAST_FRAMES = 4
_GUESTS = (0.5, 0.33, 0.17)  # none, one, two
_TWIN = 0.25  # of guests, which are another view of an object that is there
_SHUTTER = Effect(0.3, 0.8)  # frame intervals
_PACE = (0.3, 3.0)  # factor on every motion, log-uniform: near and far, fast and slow
_OBJECT_PACE = 2.0


@dataclass(frozen=True)
class StillClip:
    """Frames with labels of objects and of their parts, as of a generated clip.

    Shapes: uint8 [T, R, R, 3] RGB, uint8 [T, R, R] twice.
    """

    frames_rgb_thwc: NDArray[np.uint8]
    labels_thw: NDArray[np.uint8]
    parts_thw: NDArray[np.uint8]


def still_clip(rng: np.random.Generator, bank: PictureBank, side: int, frames: int) -> StillClip:
    """Return a clip of a random photograph, stretched to the network's square.

    Args:
        rng: that everything is drawn from.
        bank: of photographs.
        side: of the frames, px.
        frames: T.

    Raises:
        VideoError: many photographs in a row cannot be used.
    """
    picture, source = bank.draw(rng)
    view = draw_view(rng, picture, side)
    pace = float(np.exp(rng.uniform(*np.log(_PACE))))
    strength = Strength().times(pace)
    at_rest = 0 if rng.random() < 0.5 else int(rng.integers(frames))
    apart = rng.random() < (_APART if frames > 1 else _APART_AT_ONCE)
    camera = _draw_camera(rng, frames, strength, view, side, at_rest)
    drawn = _Drawn(view, camera, side, frames)
    moved: list[Layer] = []
    if apart:
        moved = _draw_moved(rng, view, camera, strength.times(_OBJECT_PACE), side, frames, at_rest)
        elsewhere = bank.draw(rng)[0] if rng.random() < _ELSEWHERE else None
        if elsewhere is None:
            drawn.clear([layer.label for layer in moved], rng)
        else:
            drawn.replace(resized(elsewhere.image_rgb_hwc, view.picture.labels_hw.shape[::-1]))
    guests = [
        draw_guest(
            rng,
            bank,
            source,
            picture if rng.random() < _TWIN else None,
            picture.objects + 1 + number,
            side,
            frames,
            view.aspect,
            strength.times(_OBJECT_PACE),
        )
        for number in range(int(rng.choice(len(_GUESTS), p=_GUESTS)))
    ]
    layers = [*moved, *guests]
    if moved and guests and rng.random() < 0.3:
        layers = [layers[index] for index in rng.permutation(len(layers))]
    return drawn.filmed(rng, layers)


def _draw_camera(
    rng: np.random.Generator, frames: int, strength: Strength, view: View, side: int, at_rest: int
) -> Poses:
    """Return maps from the scaled photograph's pixels to the frame's, [T, 3, 3]."""
    stands = rng.random() < _STILL_CAMERA
    moves = draw_poses(
        rng, frames, strength.times(0.0 if stands else 1.0), (view.aspect / 2, 0.5), at_rest
    )
    window = np.eye(3)
    window[:2, 2] = -view.left, -view.top
    return np.asarray(in_pixels(moves, side, view.aspect) @ window)


def _draw_moved(
    rng: np.random.Generator,
    view: View,
    camera: Poses,
    strength: Strength,
    side: int,
    frames: int,
    at_rest: int,
) -> list[Layer]:
    """Cut out the largest objects and send each on its way, the largest farthest back."""
    area = np.bincount(view.picture.labels_hw.ravel(), minlength=2)
    area[0] = 0
    order = [int(label) for label in np.argsort(-area)[:MOST_MOVED] if area[label]]
    layers = []
    for label in order:
        mask_hw = view.picture.labels_hw == label
        left, top, right, bottom = box_with_margin(mask_hw)
        cut = np.s_[top:bottom, left:right]
        middle_xy = np.array([(left + right) / 2 - view.left, (top + bottom) / 2 - view.top])
        centre_xy = middle_xy / side * [view.aspect, 1.0]
        own = draw_poses(rng, frames, strength, (centre_xy[0], centre_xy[1]), at_rest)
        leaves = rng.random() < _LEAVES and frames >= _LEAVES_LEAST_FRAMES
        if leaves:
            own[:, :2] += leaving(rng, frames, centre_xy, view.aspect)[:, :, None] * own[:, 2:]
        # The object moves in the scene, and the camera looks at the scene.
        in_scene = in_pixels(own, side, view.aspect)
        window, corner = np.eye(3), np.eye(3)
        window[:2, 2] = -view.left, -view.top
        corner[:2, 2] = left, top
        parts = view.picture.parts_hw[cut]
        layers.append(
            Layer(
                np.ascontiguousarray(view.picture.image_rgb_hwc[cut]),
                cover_of(mask_hw[cut]),
                np.ascontiguousarray(parts) if parts.any() else None,
                label,
                np.asarray(camera @ np.linalg.inv(window) @ in_scene @ window @ corner),
                draw_bends(rng, frames, strength, at_rest),
            )
        )
    return layers


class _Drawn:
    """The photograph behind everything, with the labels of what does not move on its own."""

    def __init__(self, view: View, camera: Poses, side: int, frames: int) -> None:
        self._image, self._camera = view.picture.image_rgb_hwc, camera
        self._labels_hw, self._parts_hw = view.picture.labels_hw, view.picture.parts_hw
        if not self._parts_hw.any():
            self._parts_hw = (self._labels_hw > 0).astype(np.uint8)
        self._side, self._frames = side, frames

    def clear(self, labels: list[int], rng: np.random.Generator) -> None:
        """Take objects out of the photograph."""
        gone_hw = np.isin(self._labels_hw, labels)
        self._image = without_objects(self._image, gone_hw, rng)
        self._labels_hw = np.where(gone_hw, 0, self._labels_hw).astype(np.uint8)

    def replace(self, image: NDArray[np.uint8]) -> None:
        """Take another photograph."""
        self._image, self._labels_hw = image, np.zeros_like(self._labels_hw)

    def filmed(self, rng: np.random.Generator, layers: list[Layer]) -> StillClip:
        """Draw all frames, and let light, lens and sensor do their worst."""
        config = ClipConfig(
            height=self._side,
            width=self._side,
            frames=self._frames,
            noise=Effect(0.35, 6.0),
            blur=Effect(0.25, 0.006),
            compression=Effect(0.35, 85.0),
        )
        lens = draw_lens(rng, config)
        middle = np.linalg.inv(self._camera[0]) @ [self._side / 2, self._side / 2, 1.0]
        path = self._camera @ middle
        blurs = motion_kernels(_SHUTTER.draw(rng) * velocity(path[:, :2] / path[:, 2:]))
        size = (self._side, self._side)
        frames = np.empty((self._frames, *size, 3), np.uint8)
        labels, parts = np.zeros((2, self._frames, *size), np.uint8)
        for index in range(self._frames):
            pose = self._camera[index]
            warped = cv2.warpPerspective(
                self._image, pose, size, None, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101
            )
            frame = np.asarray(warped, np.uint8)
            for source, target in ((self._labels_hw, labels), (self._parts_hw, parts)):
                target[index] = cv2.warpPerspective(source, pose, size, None, cv2.INTER_NEAREST)
            parts[index][labels[index] == 0] = 0
            for layer in layers:
                layer.draw(frame, labels[index], parts[index], index)
            blur = blurs[index]
            if blur is not None:
                frame = np.asarray(cv2.filter2D(frame, -1, blur), np.uint8)
            frames[index] = lens.expose(frame, index)
        return StillClip(frames, labels, parts)
