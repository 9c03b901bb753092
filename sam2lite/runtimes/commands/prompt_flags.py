"""Prompts from the command line and from a JSON file, as one table: frame, object, prompt."""

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from sam2lite.contracts.arguments import shown
from sam2lite.errors import PromptError
from sam2lite.files.json_reading import read_json
from sam2lite.files.reading import printable
from sam2lite.runtimes.prompts import MAX_ID, Prompt
from sam2lite.runtimes.rules.interface import MAX_FRAMES
from sam2lite.runtimes.video.opencv_files import read_picture
from sam2lite.runtimes.video.opencv_silence import silence_opencv

POINT_FORM = "X,Y[,LABEL[,OBJECT]]"
BOX_FORM = "X1,Y1,X2,Y2[,OBJECT]"
MASK_FORM = "FILE.png[,OBJECT]"
FILE_FORM = (
    '{"prompts": [{"frame": 0, "object": 1, "points": [[x, y]], "labels": [1], '
    '"box": [x1, y1, x2, y2], "mask": "file.png"}]}'
)

MAX_PROMPTS = 100000  # of a file
_MAX_DIGITS = 40  # of a whole number in a flag

_Entry = Dict[str, Any]  # one prompt of the file; a flag becomes an entry of frame 0


def parse_prompts(
    points: List[str], boxes: List[str], masks: List[str], prompts_file: Optional[Path]
) -> Dict[int, Dict[int, Prompt]]:
    """Read all prompts of a run; what concerns one object on one frame becomes one prompt.

    Args:
        points: values of `--point`, for frame 0: `X,Y[,LABEL[,OBJECT]]` in source pixels.
        boxes: values of `--box`, for frame 0: `X1,Y1,X2,Y2[,OBJECT]`.
        masks: values of `--mask`, for frame 0: `FILE.png[,OBJECT]`; pixels not 0 are the object.
        prompts_file: JSON as in `FILE_FORM`, for any frame; masks are relative to its folder.

    Returns:
        Prompts by object by frame, the frames in order; empty if nothing is given.

    Raises:
        PromptError: something is malformed, contradicts itself, or cannot be read.
    """
    entries = [_point(text) for text in points]
    entries += [_box(text) for text in boxes]
    entries += [_mask(text) for text in masks]
    if prompts_file is not None:
        entries += _file_entries(prompts_file)

    merged: Dict[Tuple[int, int], _Entry] = {}
    for entry in entries:
        key = entry.pop("frame", 0), entry.pop("object", 1)
        _merge(merged.setdefault(key, {"points": [], "labels": []}), entry, _place(*key))
    prompts: Dict[int, Dict[int, Prompt]] = {}
    for (frame, object_id), entry in sorted(merged.items(), key=lambda item: item[0]):
        try:
            prompts.setdefault(frame, {})[object_id] = Prompt(**entry)
        except PromptError as error:
            raise PromptError(f"{_place(frame, object_id)}: {error}") from error
    return prompts


def _point(text: str) -> _Entry:
    form = f"--point {POINT_FORM}"
    x, y, *rest = _fields(text, form, least=2, most=4)
    label = _integer(rest[0], text, form) if rest else 1
    object_id = _object(rest[1:], text, form)
    return {
        "object": object_id,
        "points": [[_number(x, text, form), _number(y, text, form)]],
        "labels": [label],
    }


def _box(text: str) -> _Entry:
    form = f"--box {BOX_FORM}"
    fields = _fields(text, form, least=4, most=5)
    corners = [_number(field, text, form) for field in fields[:4]]
    return {"object": _object(fields[4:], text, form), "box": corners}


def _mask(text: str) -> _Entry:
    # A file name may hold commas itself, so only a number after the last one is an object.
    name, comma, last = text.rpartition(",")
    if not (comma and last.strip().isdigit()):
        name, last = text, "1"
    object_id = _object([last], text, f"--mask {MASK_FORM}")
    return {"object": object_id, "mask": _read_mask(Path(name))}


def _fields(text: str, form: str, least: int, most: int) -> List[str]:
    fields = text.split(",")
    if not least <= len(fields) <= most:
        raise _malformed(text, form)
    return fields


def _number(field: str, text: str, form: str) -> float:
    try:
        return float(field)
    except ValueError:
        raise _malformed(text, form) from None


def _integer(field: str, text: str, form: str) -> int:
    if len(field) > _MAX_DIGITS:  # some Pythons refuse to read so many
        raise _malformed(text, form)
    try:
        return int(field)
    except ValueError:
        raise _malformed(text, form) from None


def _object(fields: List[str], text: str, form: str) -> int:
    object_id = _integer(fields[0], text, form) if fields else 1
    if object_id < 1:
        raise PromptError(f"object {object_id} in '{printable(text)}' is not a number from 1 on")
    if object_id > MAX_ID:
        raise PromptError(f"object {object_id} is too large a number; at most {MAX_ID}")
    return object_id


def _malformed(text: str, form: str) -> PromptError:
    return PromptError(f"cannot read '{printable(text)}'; the form is {form}")


def _read_mask(path: Path) -> np.ndarray:
    shown_path = printable(path)
    # Lossy files have specks of grey around the object, which would count as part of it.
    if path.suffix.lower() != ".png":
        raise PromptError(f"the mask '{shown_path}' must be a PNG file; save it as one")
    silence_opencv()
    refusal = "the mask '{}' does not exist or is not an image; check the path"
    if not os.path.lexists(str(path).replace("\0", "?")):
        raise PromptError(refusal.format(shown_path))
    return read_picture(path, cv2.IMREAD_GRAYSCALE, PromptError, refusal)


def _file_entries(path: Path) -> Iterator[_Entry]:
    data = read_json(str(path), PromptError, f"the form is {FILE_FORM}")
    shown_path = printable(path)
    if not isinstance(data, dict) or not isinstance(data.get("prompts"), list):
        raise PromptError(f"'{shown_path}' has no list of prompts; the form is {FILE_FORM}")
    _check_keys(data, ("prompts",), f"'{shown_path}'")
    if len(data["prompts"]) > MAX_PROMPTS:
        raise PromptError(f"'{shown_path}' has more than {MAX_PROMPTS} prompts; split the video")
    for index, entry in enumerate(data["prompts"]):
        yield _checked_entry(entry, f"prompt {index} of '{shown_path}'", path.parent)


def _checked_entry(entry: Any, place: str, folder: Path) -> _Entry:
    if not isinstance(entry, dict):
        raise PromptError(f"{place} is {printable(shown(entry))}; the form is {FILE_FORM}")
    _check_keys(entry, ("frame", "object", "points", "labels", "box", "mask"), place)
    for key, least, most in (("frame", 0, MAX_FRAMES), ("object", 1, MAX_ID)):
        value = entry.get(key, least)
        if type(value) is not int or value < least:
            raise PromptError(
                f"{key} {shown(value)} in {place} is not a whole number from {least} on"
            )
        if value > most:
            raise PromptError(f"{key} {value} in {place} is too large; at most {most}")
    points = entry.get("points", [])
    labels = entry.get("labels", [1] * len(points) if isinstance(points, list) else [])
    if not isinstance(points, list) or not isinstance(labels, list) or len(points) != len(labels):
        raise PromptError(f"points and labels in {place} must be two lists of one length")
    if "mask" in entry:
        if not isinstance(entry["mask"], str):
            raise PromptError(f"mask {shown(entry['mask'])} in {place} is not the name of a file")
        entry["mask"] = _read_mask(folder / entry["mask"])
    return {**entry, "points": points, "labels": labels}


def _check_keys(data: _Entry, known: Tuple[str, ...], place: str) -> None:
    for key in data:
        if key not in known:
            raise PromptError(
                f"unknown key '{printable(key[:80])}' in {place}; known: {', '.join(known)}"
            )


def _merge(target: _Entry, entry: _Entry, place: str) -> None:
    target["points"] += entry.pop("points", [])
    target["labels"] += entry.pop("labels", [])
    for key, value in entry.items():  # the box and the mask
        if key in target:
            raise PromptError(f"{place}: a second {key}; an object takes one per frame")
        target[key] = value


def _place(frame: int, object_id: int) -> str:
    return f"frame {frame}, object {object_id}"
