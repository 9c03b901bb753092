"""PNG files whose pixels are object numbers, which OpenCV reads but cannot write."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED_COLOUR = 3


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

    The format is that of the W3C recommendation "Portable Network Graphics (PNG)", third edition.
    """
    height, width = labels_hw.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _INDEXED_COLOUR, 0, 0, 0)
    unfiltered = np.pad(labels_hw, ((0, 0), (1, 0)))  # each row starts with its filter, 0: none
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", davis_palette().tobytes()),
            _chunk(b"IDAT", zlib.compress(unfiltered.tobytes())),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
