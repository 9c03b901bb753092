"""Drawing one frame: the background, then each actor over it, in the picture and the label map."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.actors import Actor
from sam2lite.data.clips.camera import compose
from sam2lite.data.clips.surfaces import Surface

_SAMPLES = 4  # per pixel and axis: OpenCV's own anti-aliasing makes shapes 0.6 px too large
_SHIFT = 4  # fractional bits of fillPoly's coordinates


def motion_kernel(motion_xy: NDArray[np.float64]) -> NDArray[np.float32] | None:
    """Return the blur of a straight motion in pixels, or None where it is too short to see."""
    if np.abs(motion_xy).max() < 1.0:
        return None
    half = int(np.ceil(np.abs(motion_xy).max() / 2.0))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    ends = np.round((half + motion_xy / 2.0 * [[-1.0], [1.0]]) * 2**_SHIFT).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_8, _SHIFT)
    kernel /= kernel.sum()
    return kernel


def draw_background(
    background: Surface,
    pose: NDArray[np.float64],
    height: int,
    width: int,
    motion_xy: NDArray[np.float64],
) -> Surface:
    """Return the background as the camera sees it, mirrored beyond its edges.

    Shape: [height, width, 3], uint8 RGB.
    """
    frame = cv2.warpAffine(background, pose, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    kernel = motion_kernel(motion_xy)
    return cast(Surface, frame if kernel is None else cv2.filter2D(frame, -1, kernel))


def draw_actor(
    frame: Surface,
    labels_hw: NDArray[np.uint8],
    actor: Actor,
    polygon_xy: NDArray[np.float64],
    pose: NDArray[np.float64],
    motion_xy: NDArray[np.float64],
) -> None:
    """Draw an actor into `frame` and `labels_hw`.

    A pixel belongs to the actor where the sharp outline covers half of it or more; soft edges and
    motion blur are in the picture alone.
    """
    kernel = motion_kernel(motion_xy)
    pad = 1 if kernel is None else 1 + len(kernel) // 2
    size = np.array(labels_hw.shape[::-1])
    low = np.clip(np.floor(polygon_xy.min(0)).astype(int) - pad, 0, size)
    high = np.clip(np.ceil(polygon_xy.max(0)).astype(int) + pad + 1, 0, size)
    if (high <= low).any():
        return
    roi = np.s_[low[1] : high[1], low[0] : high[0]]
    width, height = (int(extent) for extent in high - low)

    coverage = _cover(polygon_xy - low, height, width)
    labels_hw[roi][coverage > 127] = actor.label

    side = len(actor.skin)
    to_units = 2.0 * actor.reach / side
    skin_pose = np.array([[to_units, 0.0, -actor.reach], [0.0, to_units, -actor.reach]])
    skin_pose[:, 2] += 0.5 * to_units  # the centre of the first pixel
    placed = compose(pose, skin_pose)
    placed[:, 2] -= low
    skin = cv2.warpAffine(actor.skin, placed, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    if kernel is not None:
        coverage = cast(
            NDArray[np.uint8], cv2.filter2D(coverage, -1, kernel, borderType=cv2.BORDER_REPLICATE)
        )
        skin = cv2.filter2D(skin, -1, kernel)
    opacity = coverage * np.float32(1.0 / 255.0)
    frame[roi] = cv2.blendLinear(skin, frame[roi], opacity, 1.0 - opacity)


def _cover(polygon_xy: NDArray[np.float64], height: int, width: int) -> NDArray[np.uint8]:
    """Return how much of each pixel lies inside a polygon; shape [height, width], 0 to 255."""
    fine_xy = (polygon_xy + 0.5) * _SAMPLES - 0.5
    points = np.round(fine_xy * 2**_SHIFT).astype(np.int32)
    fine = np.zeros((height * _SAMPLES, width * _SAMPLES), np.uint8)
    cv2.fillPoly(fine, [points], 255, cv2.LINE_8, _SHIFT)
    coverage = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return cast(NDArray[np.uint8], coverage)
