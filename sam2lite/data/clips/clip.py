"""A finished clip: frames, label maps, and where each object can be clicked."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.errors import UnknownNameError


@dataclass(frozen=True)
class Clip:
    """Frames with exact labels.

    A label map names the object that is visible at each pixel, after occlusion; 0 is everything
    else. A part map has the part of that object, from 1 for its body, and 0 where there is no
    object. `object_ids` lists the objects that are seen in one frame at least, in ascending order.

    Shapes: frames [T, H, W, 3] uint8 RGB, labels and parts [T, H, W] uint8, visible area [T, N] in
    pixels, with N objects in the order of `object_ids`.
    """

    frames_rgb_thwc: NDArray[np.uint8]
    labels_thw: NDArray[np.uint8]
    parts_thw: NDArray[np.uint8]
    object_ids: list[int]
    visible_area_tn: NDArray[np.int64]

    def visible_frames(self, object_id: int) -> list[int]:
        """Return the frames that show the object, in ascending order.

        Raises:
            UnknownNameError: the clip does not show the object at all.
        """
        if object_id not in self.object_ids:
            raise UnknownNameError("object", object_id, self.object_ids)
        area_t = self.visible_area_tn[:, self.object_ids.index(object_id)]
        return [int(frame) for frame in np.flatnonzero(area_t)]


def deepest_point(mask_hw: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the pixel (x, y) of a mask that is farthest from its edge and the frame's.

    Args:
        mask_hw: bool [height, width], not empty.
    """
    padded = np.pad(mask_hw.astype(np.uint8), 1)
    depth_hw = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    y, x = np.unravel_index(int(depth_hw.argmax()), depth_hw.shape)
    return int(x) - 1, int(y) - 1


def first_click(clip: Clip, object_id: int) -> tuple[int, int]:
    """Return the pixel (x, y) deepest inside the object, in the first frame that shows it.

    The edge of the frame counts as an edge of the object, so the click keeps clear of it.

    Raises:
        UnknownNameError: the clip does not show the object at all.
    """
    labels_hw = clip.labels_thw[clip.visible_frames(object_id)[0]]
    return deepest_point(labels_hw == object_id)
