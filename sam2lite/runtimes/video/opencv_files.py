"""The one way from a file's name to OpenCV, and back.

OpenCV 5 ends the process where a name is no Unicode, waits for ever on a pipe, and unpacks as many
pixels as a picture claims to have. So pictures come and go as bytes, and videos, which it can only
open itself, by a name that it can take.
"""

import os
import shutil
import struct
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence, Tuple, Type, Union

import cv2
import numpy as np

from sam2lite.errors import OutputError, Sam2LiteError
from sam2lite.files.reading import MEBIBYTE, printable, read_bytes

AnyPath = Union[str, Path]

MAX_PICTURE_BYTES = 256 * MEBIBYTE
MAX_PIXELS = 1 << 27  # 400 MB of colours
_REMEDY = "replace or remove it"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_BMP = b"BM"
_MOST_SEGMENTS = 10000  # of a JPEG, before its size
_WEBP = b"RIFF"  # which cannot say more than 16383 x 16383


def read_picture(
    path: AnyPath,
    flags: int,
    error: Type[Sam2LiteError],
    refusal: str = "'{}' cannot be read as an image; it is damaged or cut short: " + _REMEDY,
) -> np.ndarray:
    """Return a picture of at most 128 million pixels, as `cv2.imread` would.

    Args:
        path: of a PNG, JPEG, BMP or WebP file, whatever its suffix.
        flags: `cv2.IMREAD_*`.
        error: what is raised.
        refusal: said of what is no picture, with a place for the name.

    Raises:
        Sam2LiteError: of the type `error`; the file is missing, damaged, no picture or too large.
    """
    shown = printable(path)
    raw = read_bytes(str(path), MAX_PICTURE_BYTES, error, _REMEDY)
    size = _claimed_size(raw)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise error(
            "'{}' claims to have {} x {} pixels; no more than {} million are read: rescale "
            "it".format(shown, size[0], size[1], MAX_PIXELS // 1000000)
        )
    picture = None  # type: Optional[np.ndarray]
    if size is not None or raw.startswith(_WEBP):
        try:
            picture = cv2.imdecode(np.frombuffer(raw, np.uint8), flags)
        except cv2.error:
            picture = None
    if picture is None:
        raise error(refusal.format(shown))
    return picture


def write_picture(path: AnyPath, picture: np.ndarray, parameters: Sequence[int] = ()) -> None:
    """Write a picture in the format of the name's suffix.

    Args:
        path: of the file.
        picture: uint8, BGR or grey.
        parameters: as `cv2.imencode` takes them.

    Raises:
        OutputError: it cannot be written.
    """
    suffix = Path(path).suffix
    try:
        _, encoded = cv2.imencode(suffix, picture, list(parameters))
        with open(str(path), "wb") as stream:
            stream.write(encoded.tobytes())
    except (OSError, cv2.error) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise OutputError(
            "cannot write '{}': {}; choose a folder that you may write to, and that has "
            "room".format(printable(path), reason)
        ) from fault


@contextmanager
def name_for_opencv(path: AnyPath) -> Iterator[str]:
    """Give a name of an existing file that OpenCV, or FFmpeg behind PyAV, can take.

    It is the file's own if that is Unicode, else a link that is gone after the block.

    Raises:
        OSError: a link is needed, and none can be made.
    """
    text = str(path)
    if _is_unicode(text):
        yield text
        return
    folder = tempfile.mkdtemp(prefix="sam2lite-")
    try:
        suffix = Path(text).suffix
        link = os.path.join(folder, "video" + (suffix if _is_unicode(suffix) else ""))
        if not _is_unicode(link):
            raise OSError("the folder for temporary files has no Unicode name")
        os.symlink(os.path.abspath(text), link)
        yield link
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def capture_file(path: AnyPath, api: int = cv2.CAP_ANY) -> Any:
    """Return a `cv2.VideoCapture` of a file; it may not be open.

    Raises:
        OSError: see `name_for_opencv`.
    """
    with name_for_opencv(path) as name:
        return cv2.VideoCapture(name, api)


def capture_other(
    target: Union[str, int], api: int = cv2.CAP_ANY, settings: Sequence[Tuple[int, int]] = ()
) -> Any:
    """Return a `cv2.VideoCapture` of a pipeline, a URL or a camera's number; it may not be open.

    Args:
        target: what to open.
        api: `cv2.CAP_*`.
        settings: `cv2.CAP_PROP_*` with their values; before 4.5.2 OpenCV takes none.
    """
    if isinstance(target, str) and not _is_unicode(target):
        target = ""  # which opens nothing
    if not settings:
        return cv2.VideoCapture(target, api)
    return cv2.VideoCapture(target, api, [number for pair in settings for number in pair])


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _claimed_size(raw: bytes) -> Optional[Tuple[int, int]]:
    """Return width and height as a picture's header has them; None where they are not found."""
    try:
        if raw.startswith(_PNG):
            width, height = struct.unpack(">II", raw[16:24])
            return width, height
        if raw.startswith(_BMP):
            width, height = struct.unpack("<ii", raw[18:26])
            return abs(width), abs(height)
        if raw.startswith(_JPEG):
            return _jpeg_size(raw)
    except (IndexError, struct.error):
        pass
    return None


def _jpeg_size(raw: bytes) -> Optional[Tuple[int, int]]:
    place = 2
    for _ in range(_MOST_SEGMENTS):
        place = raw.find(b"\xff", place)  # decoders skip what lies between two segments
        if place < 0:
            return None
        marker = raw[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", raw[place + 5 : place + 9])
            return width, height
        if marker == 0xFF:
            place += 1  # padding
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            place += 2  # no length follows
        elif marker in (0xD9, 0xDA):
            return None
        else:
            place += 2 + struct.unpack(">H", raw[place + 2 : place + 4])[0]
    return None
