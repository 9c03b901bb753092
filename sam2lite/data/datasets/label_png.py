"""Label maps from PNG files whose pixels are object numbers."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.errors import VideoError
from sam2lite.runtimes.video.source import silence_opencv

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"IHDR", b"IDAT", b"IEND")
_GREY, _INDEXED = 0, 3  # colour types
# OpenCV spreads the values of 1, 2 and 4 bits over 0..255.
_STEP = {1: 255, 2: 85, 4: 17, 8: 1}


def read_label_png(path: Path) -> NDArray[np.uint8]:
    """Read a palette or grey PNG of up to 8 bits as numbers.

    OpenCV turns a palette into colours. So the header is made to say that the pixels are grey,
    which in the format differs in nothing else, and the palette is left out. The chunks are those
    of the W3C recommendation "Portable Network Graphics (PNG)", third edition.

    Returns:
        uint8 [height, width].

    Raises:
        VideoError: the file is missing, damaged, or has colours or 16 bits.
    """
    silence_opencv()
    try:
        chunks = [chunk for chunk in _chunks(path.read_bytes()) if chunk[0] in _KEPT]
        width, height, bits, colour, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    except (OSError, ValueError, IndexError, struct.error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged or cut short"
        raise VideoError(f"the mask '{path}' cannot be read: {reason}; replace it") from error
    if colour not in (_GREY, _INDEXED) or bits not in _STEP:
        raise VideoError(
            f"the mask '{path}' has {bits} bits and PNG colour type {colour}; pixels must be "
            "object numbers up to 255: save it with a palette, or as 8-bit grey"
        )
    chunks[0] = (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _GREY, *rest))
    encoded = _SIGNATURE + b"".join(_chunk(*chunk) for chunk in chunks)
    grey = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise VideoError(f"the mask '{path}' cannot be decoded; it is damaged: replace it")
    return (grey // _STEP[bits]).astype(np.uint8)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the kinds and bodies of the chunks up to the end mark; ValueError if it is missing."""
    if not data.startswith(_SIGNATURE):
        raise ValueError
    chunks: list[tuple[bytes, bytes]] = []
    start = len(_SIGNATURE)
    while not chunks or chunks[-1][0] != b"IEND":
        size, kind = struct.unpack_from(">I4s", data, start)
        body = data[start + 8 : start + 8 + size]
        (checksum,) = struct.unpack_from(">I", data, start + 8 + size)
        if checksum != zlib.crc32(kind + body):
            raise ValueError
        chunks.append((kind, body))
        start += 12 + size
    return chunks


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
