"""The camera: where a point of the scene appears in each frame."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.paths import Path, wander


class Camera(NamedTuple):
    """Pan [T, 2] in pixels, zoom [T] as a factor and roll [T] in radians, about the centre."""

    pan_px: Path
    zoom: Path
    roll: Path
    centre_px: Path

    def views(self, parallax: float) -> NDArray[np.float64]:
        """Return the affine map from scene to frame; near things pan `parallax` times as far.

        Shape: [T, 2, 3], pixels to pixels.
        """
        linear = similarity(self.zoom, self.roll)
        shift = self.centre_px + parallax * self.pan_px - linear @ self.centre_px
        return np.concatenate([linear, shift[..., None]], 2)


def draw_camera(rng: np.random.Generator, config: ClipConfig) -> Camera:
    """Return a camera that moves as far as the effects of `config` allow."""
    frames, side = config.frames, config.side_px
    pan = wander(rng, frames, 2, config.pan.draw(rng) * side)
    shake = config.shake.draw(rng) * side * rng.standard_normal((frames, 2))
    zoom = np.exp(wander(rng, frames, 1, config.zoom.draw(rng)))[:, 0]
    roll = np.radians(wander(rng, frames, 1, config.roll.draw(rng)))[:, 0]
    centre = np.array([config.width - 1, config.height - 1]) / 2.0
    return Camera(pan + shake, zoom, roll, centre)


def similarity(scale: Path, angle: Path) -> NDArray[np.float64]:
    """Return matrices that scale, and turn by an angle in radians; shape [T, 2, 2]."""
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], 1)


def compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine maps that apply `inner` first and then `outer`; shapes [..., 2, 3]."""
    linear = outer[..., :2] @ inner[..., :2]
    shift = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return np.concatenate([linear, shift], -1)
