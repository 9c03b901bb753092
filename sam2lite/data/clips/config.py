"""What a clip may contain: sizes, counts, and how often and how strongly each effect occurs."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sam2lite.contracts.loop import MAX_OBJECTS
from sam2lite.errors import ArgumentError

MIN_SIDE_PX = 32
MAX_SIDE_PX = 4096
HIDE_MIN_FRAMES = 3  # shown, hidden, shown again


@dataclass(frozen=True)
class Effect:
    """How often an effect is drawn, and how strong it is at most, in the effect's own unit."""

    probability: float
    strength: float

    def draw(self, rng: np.random.Generator) -> float:
        """Return the strength for one clip or object, or 0 where the effect is left out."""
        drawn, share = rng.random(2)
        return self.strength * (0.2 + 0.8 * share) if drawn < self.probability else 0.0


@dataclass(frozen=True)
class ClipConfig:
    """Everything that decides a clip, besides its seed.

    A side is the shorter side of the frame, so that a configuration means the same at every
    resolution. Effects of objects are drawn for each object, the others for each clip. The
    defaults give plain scenes of whole objects; `presets.py` has the variety for training.

    Raises:
        ArgumentError: a value is out of its range.
    """

    height: int = 256
    width: int = 256
    frames: int = 24
    seed_space: int = 0
    """Clips of different spaces share neither random draws nor textures: a held-out set."""

    photograph: Callable[[np.random.Generator, int, int], NDArray[np.uint8] | None] | None = None
    """Gives a surface of a height and a width, or None for a generated one."""

    objects: tuple[int, int] = (2, 6)
    object_size: tuple[float, float] = (0.06, 0.70)
    """Diameter of the circle of the same area, in sides, log-uniform."""

    twin_probability: float = 0.3
    """An object takes over another one's texture, its shape, or both."""
    camouflage_probability: float = 0.1
    """An object is cut from the background."""
    thin_probability: float = 0.0
    """An object is a rod, an arc, a wave or a bundle of spokes."""
    holed_probability: float = 0.0
    """An object has holes: a ring, a frame, a wheel, a glyph."""
    limbs_probability: float = 0.0
    """An object has jointed limbs, each a part of it."""
    patch_probability: float = 0.0
    """An object has patches of other materials, each a part of it."""
    rider_probability: float = 0.0
    """An object lies on another one and moves with it."""
    meeting_probability: float = 0.0
    """An object crosses the path of another one, of its twin if it has one."""
    stuff_probability: float = 0.0
    """The background, a large region of it, or both are objects, numbered after the others."""
    leave_probability: float = 0.2
    """An object leaves the frame and returns."""
    occluder_probability: float = 0.2
    """Something large, which is no object itself, crosses the frame in a few frames."""
    hide_object: bool = False
    """Object 1 is in view at both ends of the clip and wholly covered in the middle."""

    motion: Effect = Effect(1.0, 0.30)  # objects: reach of the path, sides
    spin: Effect = Effect(0.5, 4.0)  # objects: degrees per frame
    stretch: Effect = Effect(0.6, 0.25)  # objects: change of scale and aspect, natural log
    wobble: Effect = Effect(0.6, 0.12)  # objects: displacement of the outline, radii
    bend: Effect = Effect(0.0, 0.30)  # objects: sideways waves along their length, radii
    swing: Effect = Effect(0.0, 40.0)  # limbs: degrees to either side
    shadow: Effect = Effect(0.0, 0.6)  # objects: share of the light lost where they cast it
    parallax: Effect = Effect(0.5, 0.8)  # objects: how much more than the background they pan
    pan: Effect = Effect(0.7, 0.15)  # sides
    zoom: Effect = Effect(0.5, 0.20)  # natural log
    roll: Effect = Effect(0.4, 10.0)  # degrees
    shake: Effect = Effect(0.3, 0.008)  # standard deviation, sides
    gain: Effect = Effect(0.5, 0.25)  # natural log
    white_balance: Effect = Effect(0.4, 0.15)  # natural log, per channel
    flicker: Effect = Effect(0.15, 0.08)  # standard deviation, natural log
    vignette: Effect = Effect(0.3, 0.5)  # share of the light lost in the corners
    blur: Effect = Effect(0.3, 0.006)  # standard deviation, sides
    motion_blur: Effect = Effect(0.35, 0.8)  # shutter time, frame intervals
    noise: Effect = Effect(0.6, 8.0)  # standard deviation, grey levels
    compression: Effect = Effect(0.0, 85.0)  # JPEG quality lost, of 100

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            _check_range(name, getattr(self, name), MIN_SIDE_PX, MAX_SIDE_PX)
        _check_range("frames", self.frames, HIDE_MIN_FRAMES if self.hide_object else 1, 10**6)
        _check_range("seed_space", self.seed_space, 0, 2**63)
        _check_interval("objects", self.objects, 1, MAX_OBJECTS)
        _check_interval("object_size", self.object_size, 0.01, 2.0)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Effect):
                _check_range(f"{field.name}.probability", value.probability, 0.0, 1.0)
                _check_range(f"{field.name}.strength", value.strength, 0.0, np.inf)
            elif field.name.endswith("_probability"):
                _check_range(field.name, value, 0.0, 1.0)

    @property
    def side_px(self) -> int:
        """The shorter side of the frame."""
        return min(self.height, self.width)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # false for NaN as well
        raise ArgumentError(f"{name} is {value}; choose a value from {low} to {high}")


def _check_interval(name: str, value: tuple[float, float], low: float, high: float) -> None:
    if not low <= value[0] <= value[1] <= high:
        raise ArgumentError(
            f"{name} is {value}; give (smallest, largest) in ascending order, {low} to {high}"
        )
