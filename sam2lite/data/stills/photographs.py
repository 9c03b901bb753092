"""Photographs as backgrounds and textures of generated clips."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.stills.bank import PictureBank
from sam2lite.data.stills.window import resized

_SHARE = 0.7  # of surfaces; the others stay generated, so that objects stand out now and then
_LEAST_CUT = 0.25  # of a photograph's shorter side


def photograph_source(
    bank: PictureBank,
) -> Callable[[np.random.Generator, int, int], NDArray[np.uint8] | None]:
    """Return what gives a clip's surfaces: for `ClipConfig.photograph`."""

    def draw(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8] | None:
        if rng.random() >= _SHARE:
            return None
        image = bank.draw(rng)[0].image_rgb_hwc
        rows, columns = image.shape[:2]
        largest = min(rows, columns * height / width)
        cut_rows = max(2, int(largest * rng.uniform(_LEAST_CUT, 1.0)))
        cut_columns = max(2, min(columns, round(cut_rows * width / height)))
        top = int(rng.integers(rows - cut_rows + 1))
        left = int(rng.integers(columns - cut_columns + 1))
        return resized(image[top : top + cut_rows, left : left + cut_columns], (width, height))

    return draw
