"""Recorded frames: a folder of pictures, and what OpenCV can open and open again."""

import re
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from sam2lite.errors import VideoError
from sam2lite.files.reading import printable
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.captures import stamp_ms
from sam2lite.runtimes.video.frame_source import DEFAULT_FPS, FrameSource
from sam2lite.runtimes.video.opencv_files import capture_file, capture_other, read_picture

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# Some containers store no frame count but a duration, and the count that follows is a little off.
_COUNT_TOLERANCE = 0.02
# A read fails at a damaged frame as it does at the end. At the end, a thousand take a millisecond.
_MOST_FAILURES = 1000
_OFF_GRID = 0.1  # of a period: times further from those of the clip's rate are of a variable one
_NOT_OPENED = {
    cv2.CAP_ANY: (
        "'{}' cannot be opened as a video; it is damaged, cut short or something else: check it "
        "with `ffprobe`, and copy or record it again"
    ),
    cv2.CAP_GSTREAMER: (
        "the pipeline '{}' cannot be opened; try it with `gst-launch-1.0`, end it with "
        "`videoconvert ! video/x-raw,format=BGR ! appsink`, and see whether "
        "cv2.getBuildInformation() says GStreamer: YES (the wheels from PyPI say NO)"
    ),
}


class ImageFiles(FrameSource):
    """Pictures in their order."""

    def __init__(self, name: str, paths: List[Path]) -> None:
        """Read the first one.

        Args:
            name: what to call them.
            paths: of the pictures, at least one.

        Raises:
            VideoError: it cannot be read.
        """
        self._paths = paths
        super().__init__(name, _read_image(paths[0]), DEFAULT_FPS, len(paths))

    def _captured(self) -> Iterator[CapturedFrame]:
        for index, path in enumerate(self._paths):
            yield CapturedFrame(_read_image(path), index, now_ms(), None)


class Clip(FrameSource):
    """What OpenCV can open and open again: a file, or a pipeline that reads one."""

    def __init__(self, name: str, open_it: Callable[[], Any], skips_damage: bool = True) -> None:
        """Read the first frame.

        Args:
            name: what to call it.
            open_it: returns an open `cv2.VideoCapture` at its start.
            skips_damage: whether a read that fails before the end may be tried again. A pipeline
                might wait for ever then.

        Raises:
            VideoError: it cannot be opened, or not one frame can be decoded.
        """
        self._open = open_it
        self._skips_damage = skips_damage
        self._warning: Optional[str] = None
        capture = open_it()
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        fps = capture.get(cv2.CAP_PROP_FPS)
        first = self._read(capture, count)
        pixel_aspect = _pixel_aspect(capture)
        capture.release()
        super().__init__(name, first, fps, count if count > 0 else None)
        self.pixel_aspect = pixel_aspect

    @property
    def warning(self) -> Optional[str]:
        """What could not be decoded, once all was read; None if nothing."""
        return self._warning

    def _captured(self) -> Iterator[CapturedFrame]:
        capture = self._open()
        decoded, index, stretches = 0, -1, 0
        last_ms = -1.0
        try:
            image_bgr = self._read(capture, self._missing(decoded))
            while image_bgr is not None:
                before, pts_ms = index, stamp_ms(capture)
                if pts_ms is not None and pts_ms <= last_ms:
                    pts_ms = None  # OpenCV 4.5 says 0 of the last frames of a file
                last_ms = last_ms if pts_ms is None else pts_ms
                index = self._place(before, pts_ms)
                stretches += index > before + 1
                decoded += 1
                yield CapturedFrame(image_bgr, index, now_ms(), pts_ms)
                image_bgr = self._read(capture, self._missing(decoded))
        finally:
            capture.release()
        self._judge(decoded, stretches)

    def _missing(self, decoded: int) -> int:
        return (self.frame_count or 0) - decoded

    def _read(self, capture: Any, missing: int) -> Optional[np.ndarray]:
        """Return the next frame that can be decoded, or None at the end.

        Args:
            capture: to read.
            missing: frames that should still come. Where there are some, what fails is taken for
                damage.
        """
        for _ in range(_MOST_FAILURES if self._skips_damage and missing > 0 else 1):
            is_read, image_bgr = capture.read()
            if is_read:
                return np.asarray(image_bgr)
        return None

    def _place(self, before: int, pts_ms: Optional[float]) -> int:
        """Return which frame one is: by its time, where the clip has a constant rate.

        Decoders leave out what is damaged, and say nothing.

        Args:
            before: which the one before was, -1 if there was none.
            pts_ms: its time.
        """
        if pts_ms is None:
            return before + 1
        place = pts_ms * self.fps / 1000.0
        return round(place) if abs(place - round(place)) < _OFF_GRID else before + 1

    def _judge(self, decoded: int, stretches: int) -> None:
        missing = self._missing(decoded)
        few = 0.0 if stretches else max(1.0, _COUNT_TOLERANCE * (self.frame_count or 0))
        if missing <= few:
            return
        self._warning = (
            "'{}' says that it has {} frames, but only {} can be decoded; it is damaged or cut "
            "short{}".format(
                self.name,
                self.frame_count,
                decoded,
                ", and {} of it could not be read and was skipped".format(
                    "one stretch" if stretches == 1 else "{} stretches".format(stretches)
                )
                if stretches
                else "",
            )
        )


def images_in(folder: Path) -> List[Path]:
    """Return a folder's pictures, sorted as people count.

    Raises:
        VideoError: there are none.
    """
    paths = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    ]
    if not paths:
        raise VideoError(
            "the folder '{}' has no frames; it must hold {} files".format(
                printable(folder), ", ".join(IMAGE_SUFFIXES)
            )
        )
    return sorted(paths, key=_natural_key)


def open_capture(target: str, api: int) -> Any:
    """Return an open `cv2.VideoCapture` of a file or a pipeline.

    Raises:
        VideoError: it cannot be opened.
    """
    try:
        # A pipeline is no file, but may name one.
        capture = capture_file(target) if api == cv2.CAP_ANY else capture_other(target, api)
    except OSError as error:
        raise VideoError("cannot open '{}': {}".format(printable(target), error)) from error
    if not capture.isOpened():
        raise VideoError(_NOT_OPENED[api].format(printable(target)))
    return capture


def _natural_key(path: Path) -> List[Any]:
    parts = re.split("([0-9]+)", path.name)  # text and numbers take turns
    return [int(part) if index % 2 else part.lower() for index, part in enumerate(parts)]


def _read_image(path: Path) -> np.ndarray:
    return read_picture(path, cv2.IMREAD_COLOR, VideoError)


def _pixel_aspect(capture: Any) -> Tuple[int, int]:
    # OpenCV 4.5.1 was the first to say.
    width, height = (
        int(capture.get(getattr(cv2, "CAP_PROP_SAR_" + side, -1))) for side in ("NUM", "DEN")
    )
    return (width, height) if width > 0 and height > 0 else (1, 1)
