"""What needs no network: classical first masks, copied or carried along by optical flow.

All of them are given what a user could give (the true first mask, a click, or a box), and run on
the frames at their own size.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.data.clips import deepest_point
from sam2lite.evaluation.first_prompts import exact_box
from sam2lite.evaluation.metrics import Mask
from sam2lite.evaluation.trackers import Frame, Masks

FLOOD_TOLERANCES = (10, 20, 30, 40, 50, 60)  # grey levels from the clicked colour, per channel
_GRABCUT_ITERATIONS = 5
_BLUR_PX = 5  # against noise
_WARPED_INSIDE = 0.5


class Baseline(NamedTuple):
    """How the first mask is made from the frame and the truth, and whether flow carries it on.

    Of the variants in a family, the best on the clips at hand is reported.
    """

    family: str
    prompt: str
    first_mask: Callable[[Frame, Mask], Mask]
    warped: bool


def true_mask(frame_bgr: Frame, truth_hw: Mask) -> Mask:
    """Return the mask that was given."""
    return truth_hw


def flood_fill(frame_bgr: Frame, truth_hw: Mask, tolerance: int) -> Mask:
    """Return what is connected to the click and coloured like it.

    Args:
        frame_bgr: uint8 [height, width, 3].
        truth_hw: bool [height, width]; only its deepest point is used.
        tolerance: how much a pixel may differ from the clicked one, in every channel.
    """
    height, width = truth_hw.shape
    reached = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
    smooth = cv2.GaussianBlur(frame_bgr, (_BLUR_PX, _BLUR_PX), 0)
    span = (tolerance,) * 3
    cv2.floodFill(smooth, reached, deepest_point(truth_hw), (0, 0, 0), span, span, flags)
    mask: Mask = reached[1:-1, 1:-1] > 0
    return mask


def grab_cut(frame_bgr: Frame, truth_hw: Mask) -> Mask:
    """Return GrabCut's foreground in the exact box of the object (Rother et al. 2004).

    A box that covers the frame leaves no background to learn from; it is the mask then.
    """
    height, width = truth_hw.shape
    x1, y1, x2, y2 = exact_box(truth_hw)
    cells = np.full((height, width), cv2.GC_BGD, np.uint8)
    cells[y1:y2, x1:x2] = cv2.GC_PR_FGD
    if (cells == cv2.GC_PR_FGD).all():
        return np.ones((height, width), bool)
    cv2.setRNGSeed(0)  # its k-means starts at random
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))  # models, filled and unused
    whole_frame = (0, 0, 0, 0)  # the mask says all
    cv2.grabCut(
        frame_bgr,
        cells,
        whole_frame,
        background,
        foreground,
        _GRABCUT_ITERATIONS,
        cv2.GC_INIT_WITH_MASK,
    )
    mask: Mask = cells == cv2.GC_PR_FGD
    return mask


def filled_box(frame_bgr: Frame, truth_hw: Mask) -> Mask:
    """Return the exact box of the object, all of it."""
    x1, y1, x2, y2 = exact_box(truth_hw)
    mask = np.zeros_like(truth_hw)
    mask[y1:y2, x1:x2] = True
    return mask


def _flood(tolerance: int) -> Callable[[Frame, Mask], Mask]:
    return lambda frame_bgr, truth_hw: flood_fill(frame_bgr, truth_hw, tolerance)


BASELINES: Mapping[str, Baseline] = {
    "copied_mask": Baseline("copied_mask", "mask", true_mask, warped=False),
    "dis": Baseline("dis", "mask", true_mask, warped=True),
    "filled_box": Baseline("filled_box", "box", filled_box, warped=True),
    "grabcut_dis": Baseline("grabcut_dis", "box", grab_cut, warped=True),
    **{
        f"flood_dis@{tolerance}": Baseline("flood_dis", "click", _flood(tolerance), warped=True)
        for tolerance in FLOOD_TOLERANCES
    },
}


class BaselineRun:
    """All baselines on one clip, sharing the optical flow between its frames.

    Attributes:
        masks: of the last frame, by baseline and object.
    """

    def __init__(self, frame_bgr: Frame, truths: Mapping[int, Mask]) -> None:
        """Make every first mask.

        Args:
            frame_bgr: the first frame, uint8 [height, width, 3].
            truths: its true masks by object, bool [height, width], not empty.
        """
        # OpenCV's type stubs do not know that `calc` may be given no flow to start from.
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grey = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2GRAY)
        self._y_hw, self._x_hw = np.indices(self._grey.shape, np.float32)
        self.masks: dict[str, Masks] = {
            name: {key: baseline.first_mask(frame_bgr, mask) for key, mask in truths.items()}
            for name, baseline in BASELINES.items()
        }

    def track(self, frame_bgr: Frame) -> None:
        """Carry the masks into the next frame."""
        grey = cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2GRAY)
        # For every pixel of this frame, where it was in the one before.
        x_flow, y_flow = cv2.split(self._flow.calc(grey, self._grey, None))
        x_hw, y_hw = self._x_hw + x_flow, self._y_hw + y_flow
        self._grey = grey
        self.masks = {
            name: {key: _warped(mask, x_hw, y_hw) for key, mask in masks.items()}
            if BASELINES[name].warped
            else masks
            for name, masks in self.masks.items()
        }


def _warped(mask_hw: Mask, x_hw: NDArray[np.float32], y_hw: NDArray[np.float32]) -> Mask:
    """Fetch the mask from where each pixel was; beyond the edge of the frame there is nothing."""
    mask: Mask = (
        cv2.remap(mask_hw.astype(np.float32), x_hw, y_hw, cv2.INTER_LINEAR) > _WARPED_INSIDE
    )
    return mask
