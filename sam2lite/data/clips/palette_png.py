"""PNG files whose pixels are object numbers, which OpenCV reads but cannot write."""

import io

import numpy as np
from numpy.typing import NDArray

from sam2lite.errors import DependencyError


def davis_palette() -> NDArray[np.uint8]:
    """Return the colours of DAVIS annotations, the same as those of PASCAL VOC.

    The bits of an index go to red, green and blue in turn, and fill each from the top down.

    Shape: [256, 3], uint8 RGB.
    """
    index = np.arange(256)[:, None]
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        source = 3 * bit + np.arange(3)
        palette |= ((index >> source & 1) << (7 - bit)).astype(np.uint8)
    return palette


def encode_palette_png(labels_hw: NDArray[np.uint8]) -> bytes:
    """Return a label map [H, W] uint8 as an 8-bit PNG with the DAVIS palette.

    Raises:
        DependencyError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise DependencyError("pillow", "data", "writing label maps with a palette") from None
    image = Image.fromarray(labels_hw)
    image.putpalette(davis_palette().tobytes())
    encoded = io.BytesIO()
    image.save(encoded, format="PNG")
    return encoded.getvalue()
