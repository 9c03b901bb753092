"""Coloured surfaces: fields looked up in palettes, patched together and shaded."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.config import ClipConfig
from sam2lite.data.clips.surroundings.fields import BANK_SIZE, FIELD_SIDE_PX, bank_field

Surface = NDArray[np.uint8]
Grey = NDArray[np.uint8]


def _crop_field(rng: np.random.Generator, seed_space: int, height: int, width: int) -> Grey:
    """Return a random part of a random field, at a random scale and mirrored or not."""
    field = bank_field(seed_space, int(rng.integers(BANK_SIZE)))[:: rng.choice([-1, 1])]
    fit = FIELD_SIDE_PX / max(height, width)
    scale = min(fit, float(np.exp(rng.uniform(np.log(0.5), np.log(2.5)))))
    rows = max(2, int(height * scale))
    columns = max(2, int(width * scale))
    top = int(rng.integers(FIELD_SIDE_PX - rows + 1))
    left = int(rng.integers(FIELD_SIDE_PX - columns + 1))
    part = np.ascontiguousarray(field[top : top + rows, left : left + columns])
    interpolation = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return cast(Grey, cv2.resize(part, (width, height), interpolation=interpolation))


def _draw_palette(rng: np.random.Generator) -> Surface:
    """Return 256 colours that run smoothly through a few stops, [256, 1, 3] RGB.

    Most stops are shades of one colour, as in one material; the contrast runs from almost flat
    to strong.
    """
    stops = int(rng.integers(2, 6))
    hue, value = rng.uniform(0, 180), rng.uniform(50, 230)
    saturation = 255 * rng.beta(1.3, 2.0)
    base = cv2.cvtColor(np.array([[[hue, saturation, value]]], np.uint8), cv2.COLOR_HSV2RGB)
    contrast = rng.uniform(8.0, 90.0)
    light = rng.standard_normal((stops, 1)) * contrast
    tint = rng.standard_normal((stops, 3)) * contrast * rng.uniform(0.0, 0.6)
    colours = np.clip(base[0] + light + tint, 0, 255)
    at = np.linspace(0, stops - 1, 256)
    palette = np.stack([np.interp(at, np.arange(stops), colours[:, c]) for c in range(3)], 1)
    return palette[:, None].astype(np.uint8)


def _shade(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Return soft light from one side, with a darker rim, as a factor per pixel."""
    tilt_x, tilt_y = rng.normal(0.0, 0.15, 2).astype(np.float32)
    rim = np.float32(rng.uniform(0.0, 0.35))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    shade: NDArray[np.float32] = (1 + tilt_x * x - rim * x * x) + (tilt_y * y - rim * y * y)
    return shade


def draw_surface(
    rng: np.random.Generator, config: ClipConfig, height: int, width: int, max_parts: int
) -> Surface:
    """Return a coloured surface of up to `max_parts` materials laid over a first one.

    It is a part of a photograph instead where the configuration gives one.

    Shape: [height, width, 3], uint8 RGB.
    """
    photograph = config.photograph(rng, height, width) if config.photograph else None
    if photograph is not None:
        return photograph
    seed_space = config.seed_space
    surface = cv2.applyColorMap(_crop_field(rng, seed_space, height, width), _draw_palette(rng))
    for _ in range(int(rng.integers(max_parts + 1))):
        where = _crop_field(rng, seed_space, height, width) > rng.integers(110, 200)
        part = cv2.applyColorMap(_crop_field(rng, seed_space, height, width), _draw_palette(rng))
        cv2.copyTo(part, where.astype(np.uint8), surface)
    shade = cv2.merge([_shade(rng, height, width)] * 3)
    return cast(Surface, cv2.multiply(surface, shade, dtype=cv2.CV_8U))


def cut_surface(rng: np.random.Generator, source: Surface, side: int) -> Surface:
    """Return a square cut out of another surface; shape [side, side, 3], uint8 RGB."""
    height, width = source.shape[:2]
    extent = min(side, height, width)
    top = int(rng.integers(height - extent + 1))
    left = int(rng.integers(width - extent + 1))
    return cast(Surface, cv2.resize(source[top : top + extent, left : left + extent], (side, side)))


def retone(rng: np.random.Generator, surface: Surface, least: float, most: float) -> Surface:
    """Return a surface that is brighter or darker by `least` to `most`, in natural log.

    A copy of the same tone would have no visible edge before its original.
    """
    tone = rng.choice([-1.0, 1.0]) * rng.uniform(least, most)
    return cast(Surface, cv2.convertScaleAbs(surface, alpha=float(np.exp(tone))))
