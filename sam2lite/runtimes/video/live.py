"""Live sources: cameras, pipelines, streams of the network, and recordings that are played."""

from typing import AbstractSet, Any, Iterator, Optional

import cv2

from sam2lite.errors import VideoError
from sam2lite.runtimes.video.captured import CapturedFrame
from sam2lite.runtimes.video.captures import DeviceCapture, PacedCapture
from sam2lite.runtimes.video.csi_camera import parse_csi, reason_closed
from sam2lite.runtimes.video.files import open_capture
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.latest_frame import STALL_TIMEOUT_S, LatestFrame
from sam2lite.runtimes.video.opencv_files import capture_other


class Live(FrameSource):
    """Gives the newest frame, and counts those that nobody took."""

    is_live = True

    def __init__(self, name: str, fps: float, latest: LatestFrame) -> None:
        """Wait for the first frame.

        Args:
            name: what to call it.
            fps: as the source says.
            latest: what reads it; closed where this fails.

        Raises:
            VideoError: no frame came, or it is no BGR image.
        """
        self._latest = latest
        try:
            first = latest.peek()
            super().__init__(name, None if first is None else first.image_bgr, fps, None)
        except BaseException:
            latest.close()
            raise

    @property
    def dropped_frames(self) -> int:
        """How many came and went since the first that was taken."""
        return self._latest.dropped_frames

    def end(self) -> None:
        """See `FrameSource`."""
        self._latest.end()

    def close(self) -> None:
        """Stop reading."""
        self._latest.close()

    def _captured(self) -> Iterator[CapturedFrame]:
        frame = self._latest.take()
        while frame is not None:
            yield frame
            frame = self._latest.take()


def play(source: FrameSource, kept: AbstractSet[int]) -> FrameSource:
    """Play a recording at its own rate, from when its first frame is taken.

    Args:
        source: the recording.
        kept: frames that are not dropped, by their index.
    """
    # A slow clip is not a stalled one, so its period is added to the patience.
    patience_s = STALL_TIMEOUT_S + 1.0 / source.fps
    capture = PacedCapture(source.captured(), source.fps)
    latest = LatestFrame(capture, source.name, patience_s, ends=True, kept={0} | kept)
    played = Live(source.name, source.fps, latest)
    played.pixel_aspect = source.pixel_aspect
    return played


def open_camera(name: str, index: int) -> FrameSource:
    """Open a camera by its number.

    Raises:
        VideoError: it cannot be opened, or gives no frame.
    """
    capture = capture_other(index)
    if not capture.isOpened():
        raise VideoError(
            "camera '{}' cannot be opened; check that /dev/video{} exists, that no other program "
            "uses it, and that you are in the group 'video'; one on the CSI port of a Jetson is "
            "called csi:{}".format(name, index, index)
        )
    return _device(name, capture, "camera " + name)


def open_csi(text: str) -> FrameSource:
    """Open a camera on the CSI port of a Jetson; see `parse_csi`.

    Raises:
        ArgumentError: it begins like a CSI camera and is none.
        VideoError: it cannot be opened, or gives no frame.
    """
    camera = parse_csi(text)
    capture = capture_other(camera.pipeline, cv2.CAP_GSTREAMER)
    if not capture.isOpened():
        raise VideoError(reason_closed(text, cv2))
    return _device(text, capture, "camera " + text, camera.fps)


def open_pipeline(text: str) -> FrameSource:
    """Open a GStreamer pipeline that does not read a file.

    Raises:
        VideoError: it cannot be opened, or gives no frame.
    """
    return _device(text, open_capture(text, cv2.CAP_GSTREAMER), "the pipeline")


def _device(name: str, capture: Any, called: str, fps: Optional[float] = None) -> FrameSource:
    fps = float(capture.get(cv2.CAP_PROP_FPS)) if fps is None else fps
    return Live(name, fps, LatestFrame(DeviceCapture(capture), called))
