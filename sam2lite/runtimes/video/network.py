"""Streams of the network: RTSP, HTTP and what else FFmpeg or GStreamer can receive."""

import re
from typing import Any, Optional

import cv2

from sam2lite.errors import VideoError
from sam2lite.files.reading import printable
from sam2lite.runtimes.video.captures import Connection
from sam2lite.runtimes.video.files import Clip
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.latest_frame import LatestFrame
from sam2lite.runtimes.video.live import Live
from sam2lite.runtimes.video.opencv_backends import read_backends
from sam2lite.runtimes.video.opencv_files import capture_other

_URL = re.compile(r"(?:rtsps?|https?|rtmps?|udp|tcp|srt|rtp)://.+", re.IGNORECASE)
_USER = re.compile(r"(//)[^/@]*@")
_TIMEOUT_MS = 5000
_GIVE_UP_S = 30.0
_REMEDY = "check the address, the network and the sender"


def is_url(text: str) -> bool:
    """Return whether a text names a stream of the network."""
    return _URL.fullmatch(text) is not None


def public_url(text: str) -> str:
    """Return a URL without the user's name and password."""
    return _USER.sub(r"\1", text)


class NetworkStream(Live):
    """A stream that is connected to again when it breaks, for up to half a minute."""

    def __init__(self, url: str, connection: Connection, fps: float) -> None:
        """Wait for the first frame; see `Live`."""
        self._connection = connection
        name = public_url(url)
        latest = LatestFrame(connection, "'{}'".format(printable(name)), _GIVE_UP_S, remedy=_REMEDY)
        super().__init__(name, fps, latest)

    @property
    def warning(self) -> Optional[str]:
        """How often the connection was lost; None if never."""
        count = self._connection.reconnects
        if not count:
            return None
        return "the connection to '{}' was lost and came back {}".format(
            self.name, "once" if count == 1 else "{} times".format(count)
        )


def open_url(url: str) -> FrameSource:
    """Open a stream of the network; a file that a web server gives is read as a file.

    Raises:
        VideoError: nothing answers, or what does is no video.
    """
    shown = printable(public_url(url))
    capture = _connect(url)
    if not capture.isOpened():
        raise VideoError(
            "'{}' gives no video, or nothing answered within {} s; {}, and that it plays with "
            "`ffplay`".format(shown, _TIMEOUT_MS // 1000, _REMEDY)
        )
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if url.lower().startswith("http") and count > 0:
        capture.release()
        return Clip(public_url(url), lambda: _connect(url))
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return NetworkStream(url, Connection(lambda: _connect(url), capture), fps)


def _connect(url: str) -> Any:
    """Return a `cv2.VideoCapture`, which is not open where nothing has answered."""
    if "FFMPEG" not in read_backends(cv2):
        return capture_other(url, cv2.CAP_GSTREAMER)
    limits = [
        (getattr(cv2, name), _TIMEOUT_MS)
        for name in ("CAP_PROP_OPEN_TIMEOUT_MSEC", "CAP_PROP_READ_TIMEOUT_MSEC")
        if hasattr(cv2, name)  # not before OpenCV 4.5.2; FFmpeg waits 30 s there
    ]
    return capture_other(url, cv2.CAP_FFMPEG, limits)
