"""JSON annotations, checked for what they must hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sam2lite.contracts.arguments import shown
from sam2lite.data.datasets.layout import layout_error
from sam2lite.errors import VideoError
from sam2lite.files.json_reading import read_json as read_any
from sam2lite.files.reading import MEBIBYTE

_MOST_BYTES = 2048 * MEBIBYTE  # COCO's training split has 450 MB
_MOST_PIXELS = 1 << 25  # of a label map: a frame of 8K; painting takes 14 bytes for each


def read_json(path: Path, keys: Sequence[str], tree: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: of the file.
        keys: that it must have.
        tree: of the data set, for messages.

    Raises:
        VideoError: the file cannot be read, is not JSON, or lacks a key.
    """
    try:
        record = read_any(str(path), VideoError, "copy it again", _MOST_BYTES)
    except VideoError as error:
        raise layout_error(path, f"it is damaged or not JSON ({error})", tree) from error
    missing = [key for key in keys if not isinstance(record, dict) or key not in record]
    if missing:
        raise layout_error(path, f"it has no {', '.join(map(repr, missing))}", tree)
    return dict(record)


def picture_size(record: Any, height_key: str = "height", width_key: str = "width") -> list[int]:
    """Return the height and width that an entry says a picture has, px.

    Raises:
        ValueError: they are no whole numbers, or of a picture larger than any that is painted.
        KeyError: there is none.
        TypeError: the entry is no object.
    """
    found = []
    for key in (height_key, width_key):
        value = record[key]
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or value < 1:
            raise ValueError(f"{key} is {shown(value)}")
        found.append(value)
    if found[0] * found[1] > _MOST_PIXELS:
        raise ValueError(
            f"{found[1]} x {found[0]} pixels are more than the {_MOST_PIXELS} that are painted"
        )
    return found


def inner_path(name: object) -> str:
    """Return a file's name that an entry gives, if it stays inside its folder.

    Raises:
        ValueError: it is no text, or may lead outside.
    """
    if not isinstance(name, str) or "\0" in name:
        raise ValueError(f"{shown(name)} is no name of a file")
    parts = name.replace("\\", "/").split("/")
    if any(part in ("", ".", "..") for part in parts) or Path(name).is_absolute():
        raise ValueError(f"the name {shown(name)} may leave its folder")
    return name
