"""Which part of a photograph a clip shows, stretched to the network's square."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.stills.picture import Picture

ASPECTS = (16 / 9, 4 / 3, 1.0, 3 / 4, 9 / 16)  # of the frame, width to height
ASPECT_SHARES = (0.4, 0.25, 0.1, 0.1, 0.15)
_SHOWN = (0.5, 1.0)  # of the largest window that fits
_MOST_PX = 4  # side of the whole photograph, in sides of the frame


class View(NamedTuple):
    """A photograph scaled so that a window of it is `side` x `side` px.

    The window's left and top may lie anywhere in it; the rest is there for the camera to move to.
    """

    picture: Picture
    left: float
    top: float
    aspect: float


def draw_view(rng: np.random.Generator, picture: Picture, side: int) -> View:
    """Choose a window with an object in it, and scale the photograph to it.

    Args:
        rng: of this clip.
        picture: as it was read.
        side: of the frame, px.
    """
    height, width = picture.labels_hw.shape
    aspect = float(rng.choice(ASPECTS, p=ASPECT_SHARES))
    share = rng.uniform(*_SHOWN)
    rows = max(share * min(height, width / aspect), height / _MOST_PX, width / aspect / _MOST_PX)
    columns = aspect * rows
    inside = np.flatnonzero(picture.labels_hw)
    y, x = divmod(int(inside[rng.integers(len(inside))]), width)
    # The point lies anywhere in the middle of the window.
    left = float(np.clip(x - rng.uniform(0.25, 0.75) * columns, 0, max(0.0, width - columns)))
    top = float(np.clip(y - rng.uniform(0.25, 0.75) * rows, 0, max(0.0, height - rows)))
    size = (max(2, round(width * side / columns)), max(2, round(height * side / rows)))
    scaled = Picture(
        resized(picture.image_rgb_hwc, size),
        nearest(picture.labels_hw, size),
        nearest(picture.parts_hw, size),
        0,
    )
    return View(scaled, left * size[0] / width, top * size[1] / height, aspect)


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to (width, height) without aliasing much."""
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def nearest(labels_hw: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize labels to (width, height)."""
    scaled = cv2.resize(labels_hw, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(scaled, np.uint8)
