"""One thing that moves over a frame: a cut-out with a soft edge, its label and its parts."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.stills.motion import Poses

Image = NDArray[np.uint8]
Grey = NDArray[np.uint8]

_EDGE_PX = 3  # of the soft edge
MARGIN_PX = 4  # around a cut-out
_COVERED = 127  # of 255, above which a pixel is the thing's


@dataclass(frozen=True)
class Layer:
    """A cut-out that lies over the frame, and its pose in every frame.

    Shapes: `image_rgb_hwc` uint8 [h, w, 3]; `cover_hwc` uint8 [h, w, 2], how opaque it is and
    whether it is the thing, in 255ths; `parts_hw` uint8 [h, w] or None; `poses` [T, 3, 3], pixels
    of the cut-out to pixels of the frame; `bends` float32 [T, G, G, 2] or None. `label` is 0 for
    what is no object.
    """

    image_rgb_hwc: Image
    cover_hwc: NDArray[np.uint8]
    parts_hw: Grey | None
    label: int
    poses: Poses
    bends: NDArray[np.float32] | None

    def draw(self, frame: Image, labels_hw: Grey, parts_hw: Grey, index: int) -> None:
        """Draw it over frame number `index`, its labels and its parts."""
        left, top, right, bottom = self._window(index, *labels_hw.shape)
        if left >= right or top >= bottom:
            return
        x_hw, y_hw = self._origin(index, left, top, right, bottom)
        image = cv2.remap(
            self.image_rgb_hwc, x_hw, y_hw, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
        )
        cover = cv2.remap(self.cover_hwc, x_hw, y_hw, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT)
        window = np.s_[top:bottom, left:right]
        opaque = cover[..., 0].astype(np.float32) * np.float32(1 / 255)
        frame[window] = cv2.blendLinear(
            image, np.ascontiguousarray(frame[window]), opaque, 1 - opaque
        )
        thing = cover[..., 1] > _COVERED
        labels_hw[window][thing] = self.label
        if self.parts_hw is None:
            parts_hw[window][thing] = 1 if self.label else 0
        else:
            part = cv2.remap(self.parts_hw, x_hw, y_hw, cv2.INTER_NEAREST)
            parts_hw[window][thing] = part[thing]

    def _window(self, index: int, height: int, width: int) -> tuple[int, int, int, int]:
        rows, columns = self.cover_hwc.shape[:2]
        corners = np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1.0]])
        mapped = corners @ self.poses[index].T
        if (mapped[:, 2] <= 0.05).any():
            return 0, 0, 0, 0  # seen from behind
        xy = mapped[:, :2] / mapped[:, 2:]
        reach = 0.08 * (xy.max(0) - xy.min(0)) if self.bends is not None else np.zeros(2)
        low = np.floor(np.maximum(xy.min(0) - reach, 0)).astype(int)
        high = np.ceil(np.minimum(xy.max(0) + reach, [width, height])).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _origin(
        self, index: int, left: int, top: int, right: int, bottom: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return where in the cut-out each pixel of a window comes from."""
        inverse = np.linalg.inv(self.poses[index]).astype(np.float32)
        x = np.arange(left, right, dtype=np.float32)[None] + np.float32(0.5)
        y = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5)
        depth = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
        x_hw = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) / depth - np.float32(0.5)
        y_hw = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) / depth - np.float32(0.5)
        if self.bends is not None:
            rows, columns = self.cover_hwc.shape[:2]
            size = (right - left, bottom - top)
            bend = cv2.resize(self.bends[index], size, interpolation=cv2.INTER_CUBIC)
            x_hw, y_hw = x_hw + columns * bend[..., 0], y_hw + rows * bend[..., 1]
        return x_hw, y_hw


def cover_of(mask_hw: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return opacity with a soft edge beside the mask itself, uint8 [h, w, 2] in 255ths.

    What is thin stays opaque: the blur of a mask alone would make a rope a ghost.
    """
    hard = mask_hw.astype(np.uint8) * 255
    soft = cv2.GaussianBlur(hard, (_EDGE_PX, _EDGE_PX), 0)
    soft = np.maximum(soft, (0.7 * hard).astype(np.uint8))
    return np.dstack([soft, hard])


def box_with_margin(mask_hw: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a mask, a margin wider within its picture."""
    height, width = mask_hw.shape
    x, y, columns, rows = cv2.boundingRect(mask_hw.astype(np.uint8))
    return (
        max(0, x - MARGIN_PX),
        max(0, y - MARGIN_PX),
        min(width, x + columns + MARGIN_PX),
        min(height, y + rows + MARGIN_PX),
    )
