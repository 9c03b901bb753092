"""From a frame to the network's square input and from its logits back to the frame.

Training, calibration, evaluation and every runtime use these functions. Changing them changes what
the weights were trained on.
"""

from typing import Optional

import cv2
import numpy as np

from sam2lite.errors import ArgumentError


def stretched(image: np.ndarray, side: int) -> np.ndarray:
    """Resize to side x side, not keeping the aspect ratio.

    An axis that is at least twice too long is halved until it is not, each time by averaging pairs
    of pixels (which INTER_LINEAR at one half is); INTER_LINEAR does the rest. So nothing aliases
    much, at a third of the time of INTER_AREA: docs/adr/0005-resize.md.

    Args:
        image: [height, width] or [height, width, channels], any type OpenCV resizes.
        side: px.
    """
    height, width = image.shape[:2]
    while height >= 2 * side or width >= 2 * side:
        height = height // 2 if height >= 2 * side else height
        width = width // 2 if width >= 2 * side else width
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    resized: np.ndarray = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    return resized


def check_frame(frame_bgr_hwc: np.ndarray) -> None:
    """Raise ArgumentError unless the frame is uint8 [height, width, 3]."""
    shape = getattr(frame_bgr_hwc, "shape", None)
    dtype = getattr(frame_bgr_hwc, "dtype", None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or dtype != np.uint8 or 0 in shape:
        raise ArgumentError(
            "a frame must be a uint8 array [height, width, 3] in BGR, as OpenCV reads it; "
            "got {} {}".format(dtype if dtype is not None else type(frame_bgr_hwc).__name__, shape)
        )


def network_input(frame_bgr_hwc: np.ndarray, rung: int) -> np.ndarray:
    """Return `image_bchw`: uint8 [1, 3, rung, rung], RGB, 0..255.

    Raises:
        ArgumentError: the frame is not uint8 [height, width, 3].
    """
    check_frame(frame_bgr_hwc)
    small = stretched(frame_bgr_hwc, rung)
    image = np.empty((1, 3, rung, rung), np.uint8)
    for plane in range(3):
        cv2.extractChannel(small, 2 - plane, image[0, plane])
    return image


def source_mask(
    logits_hw: np.ndarray, width: int, height: int, scratch_hw: Optional[np.ndarray] = None
) -> np.ndarray:
    """Return the mask in source pixels: bool [height, width], where the logits are above 0.

    Args:
        logits_hw: float32 [h, w].
        width: of the source frame, px.
        height: of the source frame, px.
        scratch_hw: float32 [height, width] to overwrite. Without it, getting so much memory from
            the system on every frame can take ten times as long as the work itself.
    """
    full = cv2.resize(logits_hw, (width, height), dst=scratch_hw, interpolation=cv2.INTER_LINEAR)
    mask: np.ndarray = full > 0.0
    return mask
