"""Label maps from PNG files whose pixels are object numbers."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sam2lite.errors import DependencyError, VideoError
from sam2lite.files.reading import printable, read_bytes
from sam2lite.runtimes.video.opencv_files import MAX_PICTURE_BYTES

# What Pillow raises for files that are damaged or made to be misread.
_DAMAGED = (
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
# Pillow's names of what is in the file: grey or a palette, of up to 8 bits. It keeps the numbers
# of a palette, and spreads grey values of 2 and 4 bits over 0..255.
_STEP = {"1": 1, "L;2": 85, "L;4": 17, "L": 1, "P;1": 1, "P;2": 1, "P;4": 1, "P": 1}


def read_label_png(path: Path) -> NDArray[np.uint8]:
    """Read a palette or grey PNG of up to 8 bits as numbers.

    Returns:
        uint8 [height, width].

    Raises:
        VideoError: the file is missing, damaged, or has colours or 16 bits.
        DependencyError: Pillow is not installed.
    """
    pixels, packing = _read(path)
    if packing not in _STEP:
        raise VideoError(
            f"the mask '{printable(path)}' has pixels of the kind {packing}, colours or 16 bits; "
            "they must be object numbers up to 255: save it with a palette, or as 8-bit grey"
        )
    return pixels.astype(np.uint8) // np.uint8(_STEP[packing])


def read_rgba_png(path: Path) -> NDArray[np.uint8]:
    """Read a PNG whose four channels are numbers.

    Returns:
        uint8 [height, width, 4].

    Raises:
        VideoError: the file is missing, damaged, or of another kind.
        DependencyError: Pillow is not installed.
    """
    pixels, packing = _read(path)
    if packing != "RGBA":
        raise VideoError(
            f"the mask '{printable(path)}' has pixels of the kind {packing}; they must be RGBA of "
            "8 bits, of which blue and alpha number the objects: copy it again"
        )
    return pixels


def _read(path: Path) -> tuple[NDArray[Any], str]:
    """Return the pixels of a PNG and Pillow's name of how they are stored."""
    try:
        from PIL import Image
    except ImportError:
        raise DependencyError("pillow", "data", "reading label maps") from None
    shown = printable(path)
    if not os.path.lexists(path):
        raise VideoError(f"the mask '{shown}' cannot be read: it does not exist; replace it")
    data = read_bytes(str(path), MAX_PICTURE_BYTES, VideoError, "replace it")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            image.verify()  # every chunk up to the end mark; after it the file is opened anew
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            packing = str(image.tile[0].args)
            return np.asarray(image), packing
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged, cut short or far too large"
        raise VideoError(f"the mask '{shown}' cannot be read: {reason}; replace it") from error
