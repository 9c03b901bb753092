"""One photograph with the objects on it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sam2lite.data.datasets.label_png import read_label_png
from sam2lite.data.datasets.pictures import read_rgb
from sam2lite.data.stills.folder import Still
from sam2lite.errors import VideoError

LEAST_PX = 64  # of an object
UNKNOWN = 255  # in a mask file: neither an object nor surely none; read as none


class Picture(NamedTuple):
    """A photograph, its objects numbered from 1 without gaps, and their parts.

    Shapes: `image_rgb_hwc` uint8 [H, W, 3]; `labels_hw` uint8 [H, W], 0 where there is no object;
    `parts_hw` uint8 [H, W], 0 where there is none. `left_out` counts objects of under 64 px.
    """

    image_rgb_hwc: NDArray[np.uint8]
    labels_hw: NDArray[np.uint8]
    parts_hw: NDArray[np.uint8]
    left_out: int

    @property
    def objects(self) -> int:
        """How many there are."""
        return int(self.labels_hw.max())


def read_picture(still: Still) -> Picture:
    """Read a photograph and its mask.

    Raises:
        VideoError: a file is missing or damaged, the sizes differ, or there is no object of 64
            pixels or more; the message names the file.
    """
    path = still.stem.with_name(still.stem.name + ".jpg")
    image_rgb = read_rgb(path)
    mask_path = path.with_suffix(".png")
    numbers_hw = read_label_png(mask_path)
    if numbers_hw.shape != image_rgb.shape[:2]:
        raise VideoError(
            f"the mask '{mask_path}' is {numbers_hw.shape[1]}x{numbers_hw.shape[0]} px, but its "
            f"picture is {image_rgb.shape[1]}x{image_rgb.shape[0]} px; rescale the mask by nearest "
            "neighbour"
        )
    numbers_hw[numbers_hw == UNKNOWN] = 0
    kept_hw, left_out = _renumbered(numbers_hw)
    labels_hw = (kept_hw > 0).astype(np.uint8) if still.parts else kept_hw
    if not labels_hw.any():
        raise VideoError(
            f"the mask '{mask_path}' has no object of {LEAST_PX} px or more; annotate it or leave "
            "it out"
        )
    return Picture(image_rgb, labels_hw, kept_hw if still.parts else labels_hw * 0, left_out)


def _renumbered(numbers_hw: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Return the objects of 64 px or more, from 1 without gaps, and how many others there are."""
    area = np.bincount(numbers_hw.ravel(), minlength=256)
    area[0] = 0
    table = np.zeros(256, np.uint8)
    large = np.flatnonzero(area >= LEAST_PX)
    table[large] = np.arange(1, len(large) + 1)
    return table[numbers_hw], int(np.count_nonzero(area)) - len(large)
