"""Drawing one frame: the background, then each part over it."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.objects.tracks import SAMPLES, SHIFT, Kernel, Track
from sam2lite.data.clips.surroundings.surfaces import Grey, Surface


def draw_background(
    background: Surface, pose: NDArray[np.float64], height: int, width: int, kernel: Kernel | None
) -> Surface:
    """Return the background as the camera sees it, mirrored beyond its edges.

    Shape: [height, width, 3], uint8 RGB.
    """
    frame = cv2.warpAffine(background, pose, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return cast(Surface, frame if kernel is None else cv2.filter2D(frame, -1, kernel))


def draw_part(
    frame: Surface, names_hw: NDArray[np.uint16], name: int, track: Track, index: int
) -> None:
    """Draw frame number `index` of a part into `frame`, and its name into `names_hw`.

    A pixel belongs to the part where its sharp outlines, filled by the even-odd rule, cover half
    of it or more; soft edges and motion blur are in the picture alone.
    """
    left, top = track.low_xy[index].tolist()
    right, bottom = track.high_xy[index].tolist()
    width, height = right - left, bottom - top
    if width <= 0 or height <= 0:
        return
    coverage = _cover(track.fine_xy[index], height, width)
    np.copyto(names_hw[top:bottom, left:right], np.uint16(name), where=coverage > 127)

    kernel = track.kernels[index]
    skin = cv2.warpAffine(
        track.part.skin,
        track.skin_poses[index],
        (width, height),
        borderMode=cv2.BORDER_REFLECT_101,
    )
    if kernel is not None:
        border = cv2.BORDER_REPLICATE
        coverage = cast(Grey, cv2.filter2D(coverage, -1, kernel, borderType=border))
        skin = cv2.filter2D(skin, -1, kernel)
    opacity = coverage * np.float32(1.0 / 255.0)
    behind = frame[top:bottom, left:right]
    cv2.blendLinear(skin, behind, opacity, 1.0 - opacity, behind)


def _cover(fine_xy: NDArray[np.int32], height: int, width: int) -> Grey:
    """Return how much of each pixel lies inside polygons; shape [height, width], 0 to 255."""
    fine = np.zeros((height * SAMPLES, width * SAMPLES), np.uint8)
    cv2.fillPoly(fine, list(fine_xy), 255, cv2.LINE_8, SHIFT)
    return cast(Grey, cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA))
