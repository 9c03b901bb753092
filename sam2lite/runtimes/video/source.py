"""Where frames come from: a video file, a folder of frames, a camera or a GStreamer pipeline."""

import math
import os
import re
import stat
from pathlib import Path
from types import TracebackType
from typing import Any, Iterator, List, Optional, Type, Union

import cv2
import numpy as np

from sam2lite.errors import VideoError
from sam2lite.files.reading import printable
from sam2lite.runtimes.video.camera import STALL_TIMEOUT_S, LatestFrame, PacedCapture
from sam2lite.runtimes.video.csi_camera import PREFIX, parse_csi, reason_closed
from sam2lite.runtimes.video.opencv_files import capture_file, capture_other, read_picture

DEFAULT_FPS = 30.0  # of folders, and of cameras that do not say
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
_CAMERA = re.compile(r"(?:/dev/video)?([0-9]+)|camera")
# Some containers store no frame count but a duration, and the count that follows is a little off.
_COUNT_TOLERANCE = 0.02
_LOG_LEVEL_SILENT = 0  # cv::utils::logging::LOG_LEVEL_SILENT; not every release gives it to Python


class FrameSource:
    """Frames of one size, one after the other; nothing is kept, however long the source.

    Iterating gives uint8 [height, width, 3] arrays in BGR order. A file or a folder can be iterated
    again from its start; a live source goes on from where it is.

    Attributes:
        name: what to call it in messages and results.
        width: of every frame, px.
        height: of every frame, px.
        fps: frames per second; `DEFAULT_FPS` where the source does not say.
        frame_count: how many frames there should be; None if live or not known.
        is_live: whether frames are dropped when the consumer is slower than the source.
        warning: what was odd about a source that has been read to its end, or None.
    """

    is_live = False

    def __init__(
        self, name: str, first: Optional[np.ndarray], fps: float, frame_count: Optional[int]
    ) -> None:
        """Learn the size from the first frame.

        Args:
            name: what to call the source.
            first: its first frame, or None if it has none.
            fps: as the source says; replaced by the default where that makes no sense.
            frame_count: as the source says, or None.

        Raises:
            VideoError: there is no first frame, or it is not a BGR image.
        """
        self.name = name = printable(name)
        self.fps = float(fps) if math.isfinite(fps) and 0 < fps <= 1000 else DEFAULT_FPS
        self.frame_count = frame_count
        self.warning: Optional[str] = None
        if first is None:
            raise VideoError(
                "not one frame of '{}' can be decoded; it is damaged, cut short, or its codec is "
                "not known here: try `ffmpeg -i IN -c:v libx264 OUT.mp4`".format(name)
            )
        self.height, self.width = first.shape[:2]
        self._checked(first, 0)

    @property
    def dropped_frames(self) -> int:
        """How many frames came and went while the consumer was busy; 0 unless live."""
        return 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for index, frame in enumerate(self._frames()):
            yield self._checked(frame, index)

    def __enter__(self) -> "FrameSource":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the device behind a live source; there is nothing to release otherwise."""

    def _frames(self) -> Iterator[np.ndarray]:
        raise NotImplementedError

    def _checked(self, frame: np.ndarray, index: int) -> np.ndarray:
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise VideoError(
                "frame {} of '{}' is {} {}, not 8-bit BGR; end a pipeline with "
                "`videoconvert ! video/x-raw,format=BGR ! appsink`".format(
                    index, self.name, frame.dtype, frame.shape
                )
            )
        height, width = frame.shape[:2]
        if (width, height) != (self.width, self.height):
            raise VideoError(
                "frame {} of '{}' is {}x{} px, but those before are {}x{}; all frames of a source "
                "must have one size: rescale or split it".format(
                    index, self.name, width, height, self.width, self.height
                )
            )
        return frame


class _ImageFiles(FrameSource):
    def __init__(self, name: str, paths: List[Path]) -> None:
        self._paths = paths
        super().__init__(name, _read_image(paths[0]), DEFAULT_FPS, len(paths))

    def _frames(self) -> Iterator[np.ndarray]:
        return map(_read_image, self._paths)


class _Clip(FrameSource):
    """What OpenCV can open and open again: a file, or a pipeline that reads one."""

    def __init__(self, target: str, api: int) -> None:
        self._target = target
        self._api = api
        capture = _open_capture(target, api)
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        fps = capture.get(cv2.CAP_PROP_FPS)
        _, first = capture.read()
        capture.release()
        super().__init__(target, first, fps, count if count > 0 else None)

    def _frames(self) -> Iterator[np.ndarray]:
        capture = _open_capture(self._target, self._api)
        decoded = 0
        try:
            is_read, frame = capture.read()
            while is_read:
                decoded += 1
                yield frame
                is_read, frame = capture.read()
        finally:
            capture.release()
        promised = self.frame_count or 0
        if promised - decoded > max(1.0, _COUNT_TOLERANCE * promised):
            self.warning = (
                "'{}' says that it has {} frames, but only {} can be decoded; it is damaged or cut "
                "short".format(self.name, promised, decoded)
            )


class _Live(FrameSource):
    is_live = True

    def __init__(self, name: str, fps: float, latest: LatestFrame) -> None:
        self._latest = latest
        try:
            super().__init__(name, latest.peek(), fps, None)
        except BaseException:
            latest.close()
            raise

    @property
    def dropped_frames(self) -> int:
        return self._latest.dropped_frames

    def close(self) -> None:
        self._latest.close()

    def _frames(self) -> Iterator[np.ndarray]:
        frame = self._latest.take()
        while frame is not None:
            yield frame
            frame = self._latest.take()


def open_source(spec: Union[str, Path], live: bool = False) -> FrameSource:
    """Open whatever `spec` names and look at its first frame.

    Args:
        spec: a video file; an image; a folder of JPEG or PNG frames, sorted as people count; a
            camera (`0`, `camera`, `/dev/video0`), on the CSI port of a Jetson `csi:0`, with
            `,1920x1080@30` if not 1280x720 at 30 frames a second; or a GStreamer pipeline, told by
            its `!`. A pipeline is live unless it reads a file (`filesrc`).
        live: play a file or a folder at its own rate and drop the frames that come too fast, as a
            camera would.

    Raises:
        VideoError: it is missing, empty, damaged, or not something to read frames from.
        ArgumentError: it begins like a CSI camera and is none.
    """
    silence_opencv()
    text = str(spec)
    if text.startswith(PREFIX):
        return _open_csi(text)
    camera = _CAMERA.fullmatch(text)
    if camera is not None:
        return _open_camera(text, int(camera.group(1) or 0))
    is_pipeline = "!" in text and not os.path.exists(text)
    source = _open_pipeline(text) if is_pipeline else _open_path(Path(text))
    return _play_live(source) if live and not source.is_live else source


def silence_opencv() -> None:
    """Keep OpenCV and its FFmpeg from writing to standard error what our errors say better.

    `OPENCV_LOG_LEVEL` and `OPENCV_FFMPEG_LOGLEVEL` in the environment are respected.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read at the first use
    if "OPENCV_LOG_LEVEL" in os.environ:
        return
    # OpenCV 5.0 has it in cv2.utils.logging, 4.5.5 in cv2. Where it is in neither, only a variable
    # that is set before cv2 is imported helps (device/app.py).
    homes: List[Any] = [getattr(getattr(cv2, "utils", None), "logging", None), cv2]
    for home in homes:
        if hasattr(home, "setLogLevel"):
            home.setLogLevel(_LOG_LEVEL_SILENT)
            return


def _open_path(path: Path) -> FrameSource:
    try:
        status = os.stat(str(path))
    except (OSError, ValueError) as error:
        raise VideoError(
            "cannot read '{}': {}; give a video file, a folder of frames, a camera such as 0, or a "
            "GStreamer pipeline".format(printable(path), getattr(error, "strerror", None) or error)
        ) from error
    if stat.S_ISDIR(status.st_mode):
        return _ImageFiles(str(path), _images_in(path))
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(
            "'{}' is neither a file nor a folder; give a video file, a folder of frames, or a "
            "camera as its number".format(printable(path))
        )
    if not status.st_size:
        raise VideoError("'{}' is empty (0 bytes); copy or record it again".format(printable(path)))
    # OpenCV would take frame_01.png for the start of a numbered sequence.
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _ImageFiles(str(path), [path])
    return _Clip(str(path), cv2.CAP_ANY)


def _images_in(folder: Path) -> List[Path]:
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


def _natural_key(path: Path) -> List[Any]:
    parts = re.split("([0-9]+)", path.name)  # text and numbers take turns
    return [int(part) if index % 2 else part.lower() for index, part in enumerate(parts)]


def _read_image(path: Path) -> np.ndarray:
    return read_picture(path, cv2.IMREAD_COLOR, VideoError)


def _open_camera(name: str, index: int) -> FrameSource:
    capture = capture_other(index)
    if not capture.isOpened():
        raise VideoError(
            "camera '{}' cannot be opened; check that /dev/video{} exists, that no other program "
            "uses it, and that you are in the group 'video'; one on the CSI port of a Jetson is "
            "called csi:{}".format(name, index, index)
        )
    return _Live(name, capture.get(cv2.CAP_PROP_FPS), LatestFrame(capture, "camera " + name))


def _open_csi(text: str) -> FrameSource:
    camera = parse_csi(text)
    capture = capture_other(camera.pipeline, cv2.CAP_GSTREAMER)
    if not capture.isOpened():
        raise VideoError(reason_closed(text, cv2))
    return _Live(text, camera.fps, LatestFrame(capture, "camera " + text))


def _open_pipeline(text: str) -> FrameSource:
    if "filesrc" in text:
        return _Clip(text, cv2.CAP_GSTREAMER)
    capture = _open_capture(text, cv2.CAP_GSTREAMER)
    return _Live(text, capture.get(cv2.CAP_PROP_FPS), LatestFrame(capture, "the pipeline"))


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


def _open_capture(target: str, api: int) -> Any:
    try:
        # A pipeline is no file, but may name one.
        capture = capture_file(target) if api == cv2.CAP_ANY else capture_other(target, api)
    except OSError as error:
        raise VideoError("cannot open '{}': {}".format(printable(target), error)) from error
    if not capture.isOpened():
        raise VideoError(_NOT_OPENED[api].format(printable(target)))
    return capture


def _play_live(source: FrameSource) -> FrameSource:
    # A slow clip is not a stalled one, so its period is added to the patience.
    patience_s = STALL_TIMEOUT_S + 1.0 / source.fps
    capture = PacedCapture(iter(source), source.fps)
    return _Live(source.name, source.fps, LatestFrame(capture, source.name, patience_s, ends=True))
