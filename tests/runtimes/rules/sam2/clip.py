"""A clip that the doubles' object is lost and found again in."""

import cv2
import numpy as np

HEIGHT, WIDTH = 60, 80


def clip(count: int, seed: int = 5, step: int = 9) -> list[np.ndarray]:
    """Return frames of a smooth texture that moves to the left."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 60, 3)).astype(np.uint8)
    large = cv2.resize(small, (60 * 16, 8 * 12), interpolation=cv2.INTER_CUBIC)
    places = range(0, step * count, step)
    return [np.ascontiguousarray(large[20 : 20 + HEIGHT, x : x + WIDTH]) for x in places]
