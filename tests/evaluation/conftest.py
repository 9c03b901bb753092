import numpy as np
import pytest
from numpy.typing import NDArray

from sam2lite.evaluation.clip import EvaluationClip

SIDE = 96
FRAMES = 5


@pytest.fixture(scope="session")
def moving_squares() -> EvaluationClip:
    """A red square that moves by 4 px a frame and a green one that waits, on grey noise."""
    rng = np.random.default_rng(0)
    ground = rng.integers(90, 150, (SIDE, SIDE, 3)).astype(np.uint8)
    skins: NDArray[np.uint8] = rng.integers(0, 40, (2, 32, 32, 3)).astype(np.uint8)
    skins[0, ..., 0] += 200
    skins[1, ..., 1] += 200
    frames = np.repeat(ground[None], FRAMES, 0)
    labels = np.zeros((FRAMES, SIDE, SIDE), np.uint8)
    for t in range(FRAMES):
        for label, (top, left) in enumerate(((8, 8 + 4 * t), (56, 56)), 1):
            frames[t, top : top + 32, left : left + 32] = skins[label - 1]
            labels[t, top : top + 32, left : left + 32] = label
    return EvaluationClip("squares", frames, labels, np.ones(FRAMES, bool))
