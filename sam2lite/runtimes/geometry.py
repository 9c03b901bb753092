"""From a frame to the network's input and from its logits back to the frame.

Training, calibration, evaluation and every runtime use these functions. Changing them changes what
the weights were trained on.
"""

from typing import Any, Dict, Optional, Tuple

import cv2
import numpy as np

from sam2lite.contracts.arguments import shown
from sam2lite.contracts.input_sizes import SQUARE, Aspect
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.runtimes.resampling import byte_images


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


def stretched(
    image: np.ndarray, width: int, height: int, scratch: Optional[Scratch] = None
) -> np.ndarray:
    """Resize, not keeping the aspect ratio.

    An axis that is at least twice too long is halved until it is not, each time by averaging pairs
    of pixels (which INTER_LINEAR at one half is); INTER_LINEAR does the rest. So nothing aliases
    much, at a third of the time of INTER_AREA: docs/adr/0005-resize.md.

    Args:
        image: [h, w] or [h, w, channels], any type OpenCV resizes.
        width: wanted, px.
        height: wanted, px.
        scratch: what to work in; the result is then overwritten by the next call.
    """
    scratch = scratch or Scratch()

    def resized(source: np.ndarray, rows: int, columns: int) -> np.ndarray:
        target = scratch.array((rows, columns, *source.shape[2:]), source.dtype.name)
        cv2.resize(source, (columns, rows), dst=target, interpolation=cv2.INTER_LINEAR)
        return target

    rows, columns = image.shape[:2]
    while rows >= 2 * height or columns >= 2 * width:
        rows = rows // 2 if rows >= 2 * height else rows
        columns = columns // 2 if columns >= 2 * width else columns
        image = resized(image, rows, columns)
    return resized(image, height, width) if (rows, columns) != (height, width) else image


def _bicubic(
    image: np.ndarray, width: int, height: int, scratch: Optional[Scratch] = None
) -> np.ndarray:
    return byte_images.bicubic(image, height, width)


def _antialiased(
    image: np.ndarray, width: int, height: int, scratch: Optional[Scratch] = None
) -> np.ndarray:
    return byte_images.antialiased(image, height, width)


# How a frame is brought to the network's input, by the name under which users choose it.
HALVING = "halving"
_RESIZES = {"antialias": _antialiased, "bicubic": _bicubic, HALVING: stretched}


def checked_resize(name: Any) -> str:
    """Return the name of a way to resize frames.

    Raises:
        UnknownNameError: it is none.
    """
    if not isinstance(name, str) or name not in _RESIZES:
        raise UnknownNameError("resize", name if isinstance(name, str) else shown(name), _RESIZES)
    return name


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
    frame_bgr_hwc: np.ndarray,
    rung: int,
    scratch: Optional[Scratch] = None,
    aspect: Aspect = SQUARE,
    resize: str = HALVING,
) -> np.ndarray:
    """Return `image_bchw`: uint8 [1, 3, height, width], RGB, 0..255, an array of its own.

    Args:
        frame_bgr_hwc: the frame.
        rung: width of the input, px.
        scratch: what to work in.
        aspect: of the input.
        resize: `halving`, which is the quickest; `bicubic`, as Pillow does it; or `antialias`,
            bilinear with antialiasing.

    Raises:
        ArgumentError: the frame is not uint8 [height, width, 3].
    """
    check_frame(frame_bgr_hwc)
    height = aspect.height_at(rung)
    small = _RESIZES[resize](frame_bgr_hwc, rung, height, scratch)
    image = np.empty((1, 3, height, rung), np.uint8)
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
