"""Where frames come from, by what a command is told."""

import os
import re
import stat
from pathlib import Path
from typing import AbstractSet, Union

import cv2

from sam2lite.errors import VideoError
from sam2lite.files.reading import printable
from sam2lite.runtimes.video.csi_camera import PREFIX
from sam2lite.runtimes.video.files import (
    IMAGE_SUFFIXES,
    Clip,
    ImageFiles,
    images_in,
    open_capture,
)
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.live import open_camera, open_csi, open_pipeline, play
from sam2lite.runtimes.video.network import is_url, open_url
from sam2lite.runtimes.video.opencv_silence import silence_opencv

_CAMERA = re.compile(r"(?:/dev/video)?([0-9]+)|camera")


def open_source(
    spec: Union[str, Path], live: bool = False, kept: AbstractSet[int] = frozenset()
) -> FrameSource:
    """Open whatever `spec` names and look at its first frame.

    Args:
        spec: a video file; an image; a folder of JPEG or PNG frames, sorted as people count; a
            camera (`0`, `camera`, `/dev/video0`), on the CSI port of a Jetson `csi:0`, with
            `,1920x1080@30` if not 1280x720 at 30 frames a second; a URL (`rtsp://`, `http://`,
            `udp://` and so on), which is live unless a web server gives a whole file; or a
            GStreamer pipeline, told by its `!`, which is live unless it reads a file (`filesrc`).
        live: play a file or a folder at its own rate and drop the frames that come too fast, as a
            camera would.
        kept: frames of a recording that are not dropped when it is played, by their index; the
            first one never is.

    Raises:
        VideoError: it is missing, empty, damaged, or not something to read frames from.
        ArgumentError: it begins like a CSI camera and is none.
    """
    silence_opencv()
    text = str(spec)
    if text.startswith(PREFIX):
        return open_csi(text)
    camera = _CAMERA.fullmatch(text)
    if camera is not None:
        return open_camera(text, int(camera.group(1) or 0))
    source = _open_recording(text)
    return play(source, kept) if live and not source.is_live else source


def _open_recording(text: str) -> FrameSource:
    """Open what may be a recording, but need not."""
    if is_url(text):
        return open_url(text)
    if "!" not in text or os.path.exists(text):
        return _open_path(Path(text))
    if "filesrc" not in text:
        return open_pipeline(text)
    return Clip(text, lambda: open_capture(text, cv2.CAP_GSTREAMER), skips_damage=False)


def _open_path(path: Path) -> FrameSource:
    try:
        status = os.stat(str(path))
    except (OSError, ValueError) as error:
        raise VideoError(
            "cannot read '{}': {}; give a video file, a folder of frames, a camera such as 0, a "
            "URL such as rtsp://HOST/PATH, or a GStreamer pipeline".format(
                printable(path), getattr(error, "strerror", None) or error
            )
        ) from error
    if stat.S_ISDIR(status.st_mode):
        return ImageFiles(str(path), images_in(path))
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(
            "'{}' is neither a file nor a folder; give a video file, a folder of frames, or a "
            "camera as its number".format(printable(path))
        )
    if not status.st_size:
        raise VideoError("'{}' is empty (0 bytes); copy or record it again".format(printable(path)))
    # OpenCV would take frame_01.png for the start of a numbered sequence.
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFiles(str(path), [path])
    return Clip(str(path), lambda: open_capture(str(path), cv2.CAP_ANY))
