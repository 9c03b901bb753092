"""How much an object moves, without a flow network: the normal-flow estimate.

Brightness constancy says I_t = -v . grad I, so |I_t| / |grad I| is the speed along the gradient
(Horn and Schunck 1981, sec. 4). Summed over the object before dividing, it is robust to flat areas,
and independent of contrast. Frames are compared on a 60 x 60 grey grid whatever the rung.
"""

from typing import Optional, Tuple

import cv2
import numpy as np

from sam2lite.runtimes.resampling.exact_area import area_means

GRID = 60
# Speeds from this many grid cells a frame on (a fifteenth of the frame) count as 1. Beyond about
# that, brightness constancy over one frame does not hold and the estimate saturates anyway.
FULL_SPEED_CELLS = 4.0
_FLAT_GRADIENT = 1.0  # grey levels a cell; less is noise


class MotionSignal:
    """Compares each frame with the one before; memory of one 60 x 60 image."""

    def __init__(self) -> None:
        self.grey: Optional[np.ndarray] = None
        self._change = np.zeros((GRID, GRID), np.float32)
        self._gradient = np.ones((GRID, GRID), np.float32)

    def update(self, image_bchw: np.ndarray) -> None:
        """Take the next network input, uint8 [1, 3, R, R]."""
        # Green alone stands for brightness: 0.7 of luma, and no colour conversion.
        grey = area_means(image_bchw[0, 1], GRID, GRID).astype(np.float32)
        if self.grey is not None:
            self._change = np.abs(grey - self.grey)
            # Scharr's weights sum to 32 for a unit slope.
            dx = cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=1.0 / 32)
            dy = cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=1.0 / 32)
            # cv2.magnitude rounds differently with the alignment of its memory.
            self._gradient = np.maximum(np.sqrt(dx * dx + dy * dy), _FLAT_GRADIENT)
        self.grey = grey

    def maps(self) -> Tuple[np.ndarray, np.ndarray]:
        """Return |I_t| and |grad I| of the frame, float32 [GRID * GRID] each."""
        return self._change.ravel().copy(), self._gradient.ravel().copy()

    def inside(self, logits_hw: np.ndarray) -> float:
        """Return the speed inside a mask, 0..1; 0 for an empty mask and on the first frame.

        Args:
            logits_hw: float32 [h, w], the mask where above 0.
        """
        small = cv2.resize(logits_hw, (GRID, GRID), interpolation=cv2.INTER_LINEAR)
        inside = (small > 0.0).astype(np.float32).ravel()
        change = float(np.dot(inside, self._change.ravel()))
        gradient = float(np.dot(inside, self._gradient.ravel()))
        return min(1.0, change / gradient / FULL_SPEED_CELLS) if gradient > 0.0 else 0.0
