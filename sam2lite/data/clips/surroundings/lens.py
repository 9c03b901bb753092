"""Light, lens and sensor: what happens to a frame after the scene is drawn."""

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.objects.paths import wander
from sam2lite.data.clips.surroundings.surfaces import Surface

_NOISE_PLAY_PX = 32  # a larger tile of noise, read at another place in each frame
_MIN_BLUR_PX = 0.3


@dataclass(frozen=True)
class Lens:
    """Settings of one clip.

    Shapes: tone curves [T, 256, 1, 3] uint8, vignette [H, W, 3] uint8 (255 keeps all the light),
    noise offsets [T, 2], noise [H + play, W + play, 3] int16. None stands for an effect left out.
    """

    tone_curves: NDArray[np.uint8] | None
    vignette: NDArray[np.uint8] | None
    blur_px: float
    noise_offsets: NDArray[np.int64]
    noise: NDArray[np.int16] | None
    jpeg_quality: int | None

    def expose(self, frame: Surface, index: int) -> Surface:
        """Return frame number `index` as the sensor delivers it; shape [H, W, 3], uint8 RGB."""
        if self.blur_px >= _MIN_BLUR_PX:
            frame = cast(Surface, cv2.GaussianBlur(frame, (0, 0), self.blur_px))
        if self.vignette is not None:
            frame = cast(Surface, cv2.multiply(frame, self.vignette, scale=1.0 / 255.0))
        if self.tone_curves is not None:
            frame = cast(Surface, cv2.LUT(frame, self.tone_curves[index]))
        if self.noise is not None:
            top, left = self.noise_offsets[index]
            height, width = frame.shape[:2]
            tile = self.noise[top : top + height, left : left + width]
            frame = cast(Surface, cv2.add(frame, tile, dtype=cv2.CV_8U))
        if self.jpeg_quality is not None:
            frame = _compress(frame, self.jpeg_quality)
        return frame


def draw_lens(rng: np.random.Generator, config: ClipConfig) -> Lens:
    """Return the light, the lens and the sensor of one clip."""
    return Lens(
        tone_curves=_draw_tone_curves(rng, config),
        vignette=_draw_vignette(rng, config),
        blur_px=config.blur.draw(rng) * config.side_px,
        noise_offsets=rng.integers(_NOISE_PLAY_PX + 1, size=(config.frames, 2)),
        noise=_draw_noise(rng, config),
        jpeg_quality=_draw_jpeg_quality(rng, config),
    )


def _draw_tone_curves(rng: np.random.Generator, config: ClipConfig) -> NDArray[np.uint8] | None:
    frames = config.frames
    gain = wander(rng, frames, 1, config.gain.draw(rng))
    balance = wander(rng, frames, 3, config.white_balance.draw(rng))
    flicker = config.flicker.draw(rng) * rng.standard_normal((frames, 1))
    change = gain + balance + flicker
    if not change.any():
        return None
    levels = np.arange(256)[None, :, None, None] * np.exp(change)[:, None, None, :]
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def _draw_vignette(rng: np.random.Generator, config: ClipConfig) -> NDArray[np.uint8] | None:
    loss = config.vignette.draw(rng)
    if loss == 0.0:
        return None
    x = np.linspace(-1, 1, config.width)[None, :]
    y = np.linspace(-1, 1, config.height)[:, None]
    light = 255.0 * np.clip(1.0 - loss * 0.5 * (x * x + y * y), 0.0, 1.0)
    return np.repeat(light[..., None].astype(np.uint8), 3, 2)


def _draw_noise(rng: np.random.Generator, config: ClipConfig) -> NDArray[np.int16] | None:
    deviation = config.noise.draw(rng)
    if deviation == 0.0:
        return None
    shape = (config.height + _NOISE_PLAY_PX, config.width + _NOISE_PLAY_PX, 3)
    noise = rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
    return np.round(noise).astype(np.int16)


def _draw_jpeg_quality(rng: np.random.Generator, config: ClipConfig) -> int | None:
    lost = config.compression.draw(rng)
    return max(1, round(100.0 - lost)) if lost else None


def _compress(frame: Surface, quality: int) -> Surface:
    """Return the frame after a JPEG file of that quality, 1 to 100."""
    frame_bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cast(Surface, cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB))
