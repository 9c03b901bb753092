"""Things from other photographs: distractors, occluders, and twins of what is there already."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.objects.paths import excursion
from sam2lite.data.stills.bank import PictureBank
from sam2lite.data.stills.layer import Layer, box_with_margin, cover_of
from sam2lite.data.stills.motion import Poses, Strength, draw_bends, draw_poses, in_pixels
from sam2lite.data.stills.picture import Picture
from sam2lite.data.stills.window import nearest, resized

_SIZES = (0.08, 0.7)  # of the frame's height, log-uniform; the longer side of the thing
_TINT = 0.12  # natural log, per channel
_CROSSES = 0.35  # moves straight through the middle of the frame, over what is there
_LIKE = 0.4  # is of the same source as the photograph


def draw_guest(
    rng: np.random.Generator,
    bank: PictureBank,
    source: str,
    twin: Picture | None,
    label: int,
    side: int,
    frames: int,
    aspect: float,
    strength: Strength,
) -> Layer:
    """Return a thing of another photograph, or of the same one, on a way of its own.

    Args:
        rng: of this clip.
        bank: where photographs come from.
        source: of the clip's own photograph.
        twin: the photograph whose own object is taken; another one's if None.
        label: of the thing.
        side: of the frame, px.
        frames: T.
        aspect: of the frame before it was stretched, width to height.
        strength: of its motion.
    """
    picture = twin or bank.draw(rng, source if rng.random() < _LIKE else None)[0]
    mask_hw = picture.labels_hw == 1 + rng.integers(picture.objects)
    box = box_with_margin(mask_hw)
    cut = np.s_[box[1] : box[3], box[0] : box[2]]
    height, width = mask_hw[cut].shape
    long = float(np.exp(rng.uniform(*np.log(_SIZES)))) * side / max(height, width)
    size = (max(6, round(long * width / aspect)), max(6, round(long * height)))
    mirrored = -1 if rng.random() < 0.5 else 1
    image = resized(picture.image_rgb_hwc[cut], size)[:, ::mirrored]
    mask = resized(mask_hw[cut].astype(np.uint8) * 255, size)[:, ::mirrored] > 127
    parts = nearest(picture.parts_hw[cut], size)[:, ::mirrored]
    place_xy = rng.uniform(0.05, 0.95, 2) * [aspect, 1.0]
    way = _way(rng, frames, place_xy, aspect)
    own = draw_poses(rng, frames, strength, (0.0, 0.0), 0)
    own[:, :2, 2] += way
    middle = np.eye(3)
    middle[:2, 2] = -np.array(size) / 2.0
    return Layer(
        np.ascontiguousarray(_tinted(rng, image)),
        cover_of(mask),
        np.ascontiguousarray(parts) if parts.any() else None,
        label,
        in_pixels(own, side, aspect) @ middle,
        draw_bends(rng, frames, strength, 0),
    )


def leaving(rng: np.random.Generator, frames: int, centre_xy: Poses, aspect: float) -> Poses:
    """Return shifts that take a thing out of the frame to the side and back, [T, 2]."""
    share = excursion(rng, frames)[:, None]
    direction = -1.0 if centre_xy[0] < aspect / 2 else 1.0
    reach = np.array([direction * rng.uniform(0.7, 1.3) * aspect, rng.uniform(-0.2, 0.2)])
    return np.asarray(share * reach)


def _way(
    rng: np.random.Generator, frames: int, place_xy: NDArray[np.float64], aspect: float
) -> NDArray[np.float64]:
    """Return where it is in each frame: about one place, or right through the middle."""
    crosses, angle, speed = (
        rng.random() < _CROSSES,
        rng.uniform(0, 2 * np.pi),
        rng.uniform(0.04, 0.3),
    )
    if not crosses or frames == 1:
        return np.tile(place_xy, (frames, 1))
    at_middle = rng.uniform(0.2, 0.8) * (frames - 1)
    time = np.arange(frames)[:, None] - at_middle
    middle = np.array([aspect, 1.0]) * rng.uniform(0.3, 0.7, 2)
    return np.asarray(middle + time * speed * np.array([np.cos(angle), np.sin(angle)]))


def _tinted(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change light and colour, so that a thing is not known by the light of its photograph."""
    factors = np.exp(_TINT * (rng.standard_normal(3) + rng.standard_normal()))
    levels = np.clip(np.arange(256)[:, None] * factors, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(np.ascontiguousarray(image), levels[None]), np.uint8)
