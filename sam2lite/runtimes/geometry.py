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
from sam2lite.runtimes.resampling import byte_images, exact_linear


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
    of pixels; bilinear interpolation does the rest. So nothing aliases much, at a third of the time
    of INTER_AREA: docs/adr/0005-resize.md. Bytes come out the same on every processor and with
    every OpenCV: docs/adr/0015-same-bytes.md.

    Args:
        image: [h, w] or [h, w, channels], uint8 or of a float type.
        width: wanted, px.
        height: wanted, px.
        scratch: what to work in; the result is then overwritten by the next call.
    """
    scratch = scratch or Scratch()
    image = _halved(image, width, height, scratch)
    if image.shape[:2] == (height, width):
        return image
    target = scratch.array((height, width, *image.shape[2:]), image.dtype.name)
    return exact_linear.resized(image, height, width, target)


def _halved(image: np.ndarray, width: int, height: int, scratch: Optional[Scratch]) -> np.ndarray:
    """Halve each axis until it is under twice too long."""
    scratch = scratch or Scratch()
    rows, columns = image.shape[:2]
    while rows >= 2 * height or columns >= 2 * width:
        rows = rows // 2 if rows >= 2 * height else rows
        columns = columns // 2 if columns >= 2 * width else columns
        target = scratch.array((rows, columns, *image.shape[2:]), image.dtype.name)
        image = exact_linear.resized(image, rows, columns, target)
    return image


def _bicubic(
    image: np.ndarray, width: int, height: int, scratch: Optional[Scratch] = None
) -> np.ndarray:
    return byte_images.bicubic(image, height, width)


def _antialiased(
    image: np.ndarray, width: int, height: int, scratch: Optional[Scratch] = None
) -> np.ndarray:
    return byte_images.antialiased(image, height, width)


# How a frame is brought to the network's input, by the name under which users choose it. What is
# not of its size yet is resized bilinearly, a colour after the other: docs/adr/0015-same-bytes.md.
HALVING = "halving"
_RESIZES = {"antialias": _antialiased, "bicubic": _bicubic, HALVING: _halved}


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
    targets = image[0, ::-1]  # blue, green, red
    if small.shape[:2] == (height, rung):
        cv2.split(small, list(targets))
        return image
    planes = (scratch or Scratch()).array((3, *small.shape[:2]), "uint8")
    cv2.split(small, list(planes))
    for plane, target in zip(planes, targets):
        exact_linear.resized(plane, height, rung, target)
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
