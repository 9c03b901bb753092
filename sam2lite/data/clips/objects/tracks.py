"""Where a part is drawn in every frame, worked out for a whole clip at once."""

from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips.objects.actors import Part
from sam2lite.data.clips.surroundings.camera import compose

SAMPLES = 4  # per pixel and axis: OpenCV's own anti-aliasing makes shapes 0.6 px too large
SHIFT = 4  # fractional bits of fillPoly's coordinates
_MIN_MOTION_PX = 1.0

Kernel = NDArray[np.float32]


class Track:
    """A part's outlines, texture and blur in pixels.

    Attributes:
        part: what is drawn.
        polygons_xy: outlines in pixels of the frame, [T, C, V, 2].
        low_xy: first column and row of the window that holds the part in each frame, [T, 2].
        high_xy: the column and row after its last ones, [T, 2]; not above `low_xy` out of view.
        fine_xy: outlines in the fine grid of the window, fixed-point, [T, C, V, 2] int32.
        skin_poses: from the skin's pixels to the window's, [T, 2, 3].
        kernels: motion blur in each frame, or None where the part hardly moves.
    """

    def __init__(self, part: Part, width: int, height: int, shutter: float) -> None:
        self.part = part
        self.polygons_xy = part.polygons()
        motion = shutter * velocity(self.polygons_xy[:, 0].mean(1))
        self.kernels = motion_kernels(motion)
        pad = np.array([1 if k is None else 1 + len(k) // 2 for k in self.kernels])[:, None]
        size = np.array([width, height])
        low = np.floor(self.polygons_xy.min((1, 2))).astype(int) - pad
        high = np.ceil(self.polygons_xy.max((1, 2))).astype(int) + pad + 1
        self.low_xy, self.high_xy = np.clip(low, 0, size), np.clip(high, 0, size)

        in_window = self.polygons_xy - self.low_xy[:, None, None]
        fine = (in_window + 0.5) * SAMPLES - 0.5
        self.fine_xy = np.round(fine * 2**SHIFT).astype(np.int32)

        to_units = 2.0 * part.reach / len(part.skin)
        first = 0.5 * to_units - part.reach  # the centre of the skin's first pixel
        self.skin_poses = compose(
            part.poses, np.array([[to_units, 0.0, first], [0.0, to_units, first]])
        )
        self.skin_poses[:, :, 2] -= self.low_xy

    @classmethod
    def of_all(cls, parts: tuple[Part, ...], width: int, height: int, shutter: float) -> list[Self]:
        """Return the tracks of those parts that are in view in one frame at least."""
        tracks = [cls(part, width, height, shutter) for part in parts]
        return [track for track in tracks if (track.high_xy > track.low_xy).all(1).any()]


def velocity(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return pixels per frame, [T, 2]; a clip of one frame stands still."""
    return np.gradient(path, axis=0) if len(path) > 1 else np.zeros_like(path)


def motion_kernels(motion_xy: NDArray[np.float64]) -> list[Kernel | None]:
    """Return blurs of straight motions [T, 2] in pixels, None where one is too short to see."""
    longest = np.abs(motion_xy).max(1).tolist()
    return [
        _motion_kernel(motion_xy[index], length) if length >= _MIN_MOTION_PX else None
        for index, length in enumerate(longest)
    ]


def _motion_kernel(motion_xy: NDArray[np.float64], longest: float) -> Kernel:
    half = int(np.ceil(longest / 2.0))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    ends = np.round((half + motion_xy / 2.0 * [[-1.0], [1.0]]) * 2**SHIFT).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_8, SHIFT)
    kernel /= kernel.sum()
    return kernel
