"""Frames from image files or from a video file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam2lite.errors import VideoError
from sam2lite.files.reading import printable
from sam2lite.runtimes.video.opencv_files import read_picture
from sam2lite.runtimes.video.opencv_silence import silence_opencv
from sam2lite.runtimes.video.source import open_source


@dataclass(frozen=True)
class ImageFrames:
    """One image file for each frame; any order costs the same."""

    paths: Sequence[Path]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Return frames, uint8 [n, H, W, 3] RGB.

        Raises:
            VideoError: an image cannot be read, or has another size than the first one.
        """
        frames = [read_rgb(self.paths[index]) for index in indices]
        for index, frame in zip(indices, frames, strict=True):
            if frame.shape != frames[0].shape:
                raise VideoError(
                    f"'{self.paths[index]}' is {_size(frame)}, but '{self.paths[indices[0]]}' is "
                    f"{_size(frames[0])}; all frames of a clip must have one size: rescale or "
                    "split it"
                )
        return np.stack(frames)


@dataclass(frozen=True)
class VideoFrames:
    """The frames of a video file, which is decoded from its start at each reading.

    Seeking would be quicker, but OpenCV does not land on the right frame in every file.

    Attributes:
        path: of the video.
        count: how many frames the annotations say that it has.
    """

    path: Path
    count: int

    def __len__(self) -> int:
        return self.count

    def read(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Return frames, uint8 [n, H, W, 3] RGB.

        Raises:
            VideoError: the video cannot be decoded up to the last of them.
        """
        wanted, end = set(indices), max(indices) + 1
        found: dict[int, NDArray[np.uint8]] = {}
        decoded = 0
        for decoded, frame_bgr in enumerate(islice(open_source(self.path), end), 1):
            if decoded - 1 in wanted:
                found[decoded - 1] = np.asarray(
                    cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB), np.uint8
                )
        if decoded < end:
            raise VideoError(
                f"'{self.path}' has {decoded} frames that can be decoded, but its annotations say "
                f"{self.count}; it is damaged or cut short: copy it again"
            )
        return np.stack([found[index] for index in indices])


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return a picture, uint8 [H, W, 3] RGB.

    Raises:
        VideoError: it is missing, damaged or far too large.
    """
    silence_opencv()
    shown = printable(path)
    if not os.path.lexists(path):
        raise VideoError(f"the image '{shown}' cannot be read: it does not exist; replace it")
    refusal = "the image '{}' cannot be read: it is damaged or cut short; replace it"
    image_bgr = read_picture(path, cv2.IMREAD_COLOR, VideoError, refusal)
    return np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]} px"
