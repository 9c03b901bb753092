"""Photographs of a folder, and the views of them that are trained on."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from sam2lite.errors import TrainingError, VideoError
from sam2lite.files.reading import printable
from sam2lite.runtimes.video.opencv_files import read_picture

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")  # SA-1B has its masks in .json beside them
_KEPT_APART = 10  # every so many pictures validate
_MOST_VALIDATED = 64
_LEAST_SHARE = 0.08  # of a picture's area, in a crop
_ASPECTS = 3 / 4, 4 / 3  # of crops, least and greatest
_log = logging.getLogger("sam2lite")


class Pictures(NamedTuple):
    """What a folder has, by paths relative to it.

    Attributes:
        folder: where they are.
        trained: pictures that are trained on.
        kept_apart: that validate.
    """

    folder: Path
    trained: tuple[str, ...]
    kept_apart: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of their names."""
        names = "\n".join([*self.trained, "", *self.kept_apart])
        return sha256(names.encode("utf-8", "surrogateescape")).hexdigest()


def open_pictures(folder: Path) -> Pictures:
    """Find all pictures under a folder; which are kept apart goes by their names alone.

    Raises:
        TrainingError: there is no such folder, or there are fewer than two pictures in it.
    """
    if not folder.is_dir():
        raise TrainingError(f"there is no folder {printable(folder)}; name one with pictures")
    names = sorted(
        os.path.relpath(Path(root) / name, folder)
        for root, _, files in os.walk(folder)
        for name in files
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    )
    if len(names) < 2:
        raise TrainingError(
            f"{printable(folder)} has {len(names)} pictures ({', '.join(SUFFIXES)}), and two are "
            "needed at least, of which one validates; name another folder with --images"
        )
    drawn = sorted(names, key=lambda name: sha256(os.fsencode(name)).digest())
    count = min(max(1, len(names) // _KEPT_APART), _MOST_VALIDATED)
    kept = set(drawn[:count])
    return Pictures(
        folder, tuple(n for n in names if n not in kept), tuple(n for n in names if n in kept)
    )


def views(
    pictures: Pictures, names: Sequence[str], numbers: Sequence[int], size: int, seed: int
) -> Tensor:
    """Return views, uint8 RGB `[B, 3, size, size]`; one that cannot be read is the next picture's.

    Args:
        pictures: where they are.
        names: of the pictures.
        numbers: of the view: 0 is the whole picture, others are crops, always the same.
        size: that a view is stretched to, px.
        seed: of the crops.

    Raises:
        TrainingError: many pictures cannot be read.
    """
    return torch.stack(
        [
            torch.from_numpy(_view(pictures, name, number, size, seed))
            for name, number in zip(names, numbers, strict=True)
        ]
    )


def _view(pictures: Pictures, name: str, number: int, size: int, seed: int) -> np.ndarray:
    picture = _readable(pictures, name)
    if number > 0:
        drawn = np.random.default_rng([seed, number, *sha256(os.fsencode(name)).digest()[:8]])
        picture = _crop(picture, drawn)
    filter_ = cv2.INTER_AREA if min(picture.shape[:2]) > size else cv2.INTER_LINEAR
    resized = cv2.resize(picture, (size, size), interpolation=filter_)
    return np.ascontiguousarray(resized[..., ::-1].transpose(2, 0, 1))


def _readable(pictures: Pictures, name: str) -> np.ndarray:
    names = pictures.trained if name in pictures.trained else pictures.kept_apart
    at = names.index(name)
    tried = [*names[at:], *names[:at]][:10]
    for other in tried:
        try:
            picture = read_picture(str(pictures.folder / other), cv2.IMREAD_COLOR, VideoError)
        except VideoError as error:
            _say_once(f"{error}; it is left out")
        else:
            return picture
    raise TrainingError(
        f"none of {len(tried)} pictures from {printable(pictures.folder / name)} on can be read; "
        "copy them again, or name another folder"
    )


@cache
def _say_once(message: str) -> None:
    _log.warning("%s", message)


def _crop(picture: np.ndarray, drawn: np.random.Generator) -> np.ndarray:
    height, width = picture.shape[:2]
    area = height * width * drawn.uniform(_LEAST_SHARE, 1.0)
    aspect = np.exp(drawn.uniform(np.log(_ASPECTS[0]), np.log(_ASPECTS[1])))
    rows = min(height, max(1, round(np.sqrt(area / aspect))))
    columns = min(width, max(1, round(np.sqrt(area * aspect))))
    top = int(drawn.integers(height - rows + 1))
    left = int(drawn.integers(width - columns + 1))
    return picture[top : top + rows, left : left + columns]
