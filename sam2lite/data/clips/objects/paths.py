"""How values change over time: every motion and every drift of a clip is one of these paths."""

import numpy as np
from numpy.typing import NDArray

Path = NDArray[np.float64]

_PERIODS_FRAMES = (24.0, 120.0)


def wander(rng: np.random.Generator, frames: int, channels: int, amplitude: float) -> Path:
    """Return a smooth, bounded path that starts at zero, as a sum of two waves per channel.

    It stays within twice the amplitude. It takes the same draws from `rng` whatever the amplitude,
    so that changing the strength of one motion leaves the others as they were.

    Shape: [frames, channels].
    """
    low, high = np.log(_PERIODS_FRAMES)
    period = np.exp(rng.uniform(low, high, (2, 1, channels)))
    phase = rng.uniform(0.0, 2.0 * np.pi, (2, 1, channels))
    time = np.arange(frames, dtype=np.float64)[None, :, None]
    waves = np.sin(2.0 * np.pi * time / period + phase)
    path: Path = amplitude * (0.7 * waves[0] + 0.3 * waves[1])
    return path - path[:1]


def excursion(rng: np.random.Generator, frames: int) -> Path:
    """Return a share that rises from 0 to 1, stays there for a while and falls to 0 again.

    Shape: [frames].
    """
    length = rng.uniform(0.5, 1.0)
    start = rng.uniform(0.0, 1.0 - length)
    progress = np.clip((np.arange(frames) / max(1, frames - 1) - start) / length, 0.0, 1.0)
    share: Path = np.minimum(1.0, 1.5 * np.sin(np.pi * progress) ** 2)
    return share


def crossing(frames: int, first: int, last: int, velocity_xy: Path) -> Path:
    """Return straight motion through the origin, with a stop there from frame `first` to `last`.

    Shape: [frames, 2].
    """
    time = np.arange(frames)
    away: Path = (time - np.clip(time, first, last)).astype(np.float64)
    return away[:, None] * velocity_xy
