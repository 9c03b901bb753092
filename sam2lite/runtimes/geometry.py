"""From a frame to the network's square input and from its logits back to the frame.

Training, calibration, evaluation and every runtime use these functions. Changing them changes what
the weights were trained on.
"""

from typing import Dict, Optional, Tuple

import cv2
import numpy as np

from sam2lite.errors import ArgumentError


class Scratch:
    """Arrays that one stream of frames writes over again and again, by shape and type.

    Asking the system for megabytes on every frame can take longer than the work on them.
    """

    def __init__(self) -> None:
        self._arrays: Dict[Tuple[Tuple[int, ...], str], np.ndarray] = {}

    def array(self, shape: Tuple[int, ...], dtype: str) -> np.ndarray:
        """Return the array of that shape and type, with whatever was left in it."""
        key = (shape, dtype)
        if key not in self._arrays:
            self._arrays[key] = np.empty(shape, dtype)
        return self._arrays[key]


def stretched(image: np.ndarray, side: int, scratch: Optional[Scratch] = None) -> np.ndarray:
    """Resize to side x side, not keeping the aspect ratio.

    An axis that is at least twice too long is halved until it is not, each time by averaging pairs
    of pixels (which INTER_LINEAR at one half is); INTER_LINEAR does the rest. So nothing aliases
    much, at a third of the time of INTER_AREA: docs/adr/0005-resize.md.

    Args:
        image: [height, width] or [height, width, channels], any type OpenCV resizes.
        side: px.
        scratch: what to work in; the result is then overwritten by the next call.
    """
    scratch = scratch or Scratch()

    def resized(source: np.ndarray, height: int, width: int) -> np.ndarray:
        target = scratch.array((height, width, *source.shape[2:]), source.dtype.name)
        cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
        return target

    height, width = image.shape[:2]
    while height >= 2 * side or width >= 2 * side:
        height = height // 2 if height >= 2 * side else height
        width = width // 2 if width >= 2 * side else width
        image = resized(image, height, width)
    return resized(image, side, side) if (height, width) != (side, side) else image


def check_frame(frame_bgr_hwc: np.ndarray) -> None:
    """Raise ArgumentError unless the frame is uint8 [height, width, 3]."""
    shape = getattr(frame_bgr_hwc, "shape", ())  # type: Tuple[int, ...]
    dtype = getattr(frame_bgr_hwc, "dtype", None)
    fits = isinstance(frame_bgr_hwc, np.ndarray) and len(frame_bgr_hwc.shape) == 3
    if not fits or shape[2] != 3 or dtype != np.uint8 or 0 in shape:
        raise ArgumentError(
            "a frame must be a uint8 array [height, width, 3] in BGR, as OpenCV reads it; "
            "got {} {}".format(dtype if dtype is not None else type(frame_bgr_hwc).__name__, shape)
        )


def network_input(
    frame_bgr_hwc: np.ndarray, rung: int, scratch: Optional[Scratch] = None
) -> np.ndarray:
    """Return `image_bchw`: uint8 [1, 3, rung, rung], RGB, 0..255, an array of its own.

    Raises:
        ArgumentError: the frame is not uint8 [height, width, 3].
    """
    check_frame(frame_bgr_hwc)
    small = stretched(frame_bgr_hwc, rung, scratch)
    image = np.empty((1, 3, rung, rung), np.uint8)
    red, green, blue = image[0]
    cv2.split(small, [blue, green, red])  # writes into `image`
    return image


def source_logits(logits_hw: np.ndarray, width: int, height: int, scratch: Scratch) -> np.ndarray:
    """Return logits in source pixels: float32 [height, width], overwritten by the next call.

    Args:
        logits_hw: float32 [h, w].
        width: of the source frame, px.
        height: of the source frame, px.
        scratch: what to work in.
    """
    full = scratch.array((height, width), "float32")
    cv2.resize(logits_hw, (width, height), dst=full, interpolation=cv2.INTER_LINEAR)
    return full


def source_mask(
    logits_hw: np.ndarray,
    width: int,
    height: int,
    scratch: Optional[Scratch] = None,
    threshold: float = 0.0,
) -> np.ndarray:
    """Return the mask in source pixels: bool [height, width].

    Args:
        logits_hw: float32 [h, w].
        width: of the source frame, px.
        height: of the source frame, px.
        scratch: what to work in; the mask is an array of its own nevertheless.
        threshold: logits above it are the object's.
    """
    mask: np.ndarray = source_logits(logits_hw, width, height, scratch or Scratch()) > threshold
    return mask
