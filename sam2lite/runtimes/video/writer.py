"""Writing a clip: H.264 through PyAV where it is installed, else MPEG-4 through OpenCV."""

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Optional, Tuple, Type, Union

import cv2
import numpy as np

from sam2lite.errors import ArgumentError, OutputError, VideoError
from sam2lite.files.atomic import Unchanged, replacing
from sam2lite.runtimes.video.opencv_files import capture_file, name_for_opencv
from sam2lite.runtimes.video.opencv_silence import silence_opencv

_OFF_GRID = 0.02  # of a frame: times no further than this from those of the rate are those
_LEAST_STEP = 0.01  # of a frame; also the resolution of times


class VideoWriter:
    """A context manager that writes BGR frames to an `.mp4` file.

    The clip appears under its name only when it is complete: frames go to a temporary file beside
    it, which is renamed at the end and removed if the block raises.

    Attributes:
        codec: `h264` (plays everywhere) or `mp4v` (what OpenCV can write on a board).
        frame_count: frames written so far.
    """

    def __init__(
        self,
        path: Union[str, Path],
        fps: float,
        width: int,
        height: int,
        pixel_aspect: Tuple[int, int] = (1, 1),
    ) -> None:
        """Open the temporary file.

        Args:
            path: where the clip goes; a file of that name is replaced.
            fps: frames per second, above 0.
            width: of every frame, px.
            height: of every frame, px.
            pixel_aspect: width of a pixel over its height; OpenCV's writer cannot say it.

        Raises:
            ArgumentError: the rate or the size is not positive.
            OutputError: the path cannot be written.
        """
        if not (math.isfinite(fps) and fps > 0 and width > 0 and height > 0):
            raise ArgumentError(
                "a video of {}x{} px at {} fps cannot be written; all three must be above 0".format(
                    width, height, fps
                )
            )
        self.frame_count = 0
        self._fps = fps
        self._last_place = -1.0
        self._path = Path(path)
        self._shape = (height, width, 3)
        # Both codecs store colour at half resolution, so they need even sides. One more column or
        # row is added, a copy of the last, because cropping would lose pixels that may be masked.
        self._padding = (height % 2, width % 2)
        with contextlib.ExitStack() as stack:
            partial = self._reserve(stack)
            size = width + width % 2, height + height % 2
            self._encoder = _open_encoder(partial, fps, size, pixel_aspect)
            self._files = stack.pop_all()
        self.codec = self._encoder.codec

    def write(self, frame_bgr_hwc: np.ndarray, time_ms: Optional[float] = None) -> None:
        """Append one frame.

        Args:
            frame_bgr_hwc: uint8 [height, width, 3].
            time_ms: when it is shown, from the first frame on; by the rate if not given. One that
                is not after the frame before is shown right after it.

        Raises:
            VideoError: the frame has another size or dtype than the clip.
            OutputError: the disk is full, or the encoder failed otherwise.
        """
        if frame_bgr_hwc.shape != self._shape or frame_bgr_hwc.dtype != np.uint8:
            raise VideoError(
                "frame {} is {} {}, but {} takes uint8 {}; resize it first".format(
                    self.frame_count,
                    frame_bgr_hwc.dtype,
                    frame_bgr_hwc.shape,
                    self._path,
                    self._shape,
                )
            )
        bottom, right = self._padding
        if bottom or right:
            frame_bgr_hwc = cv2.copyMakeBorder(
                frame_bgr_hwc, 0, bottom, 0, right, cv2.BORDER_REPLICATE
            )
        try:
            self._encoder.write(frame_bgr_hwc, self._place(time_ms))
        except self._encoder.errors as error:
            raise self._write_error(error) from error
        self.frame_count += 1

    def _place(self, time_ms: Optional[float]) -> float:
        """Return where a frame is, in frames of the clip's rate."""
        place = self._last_place + 1.0
        if time_ms is not None and math.isfinite(time_ms):
            place = time_ms * self._fps / 1000.0
            if abs(place - round(place)) < _OFF_GRID:
                place = float(round(place))
        self._last_place = max(place, self._last_place + _LEAST_STEP)
        return self._last_place

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        complete = kind is None and self.frame_count > 0
        try:
            with self._files:
                if not complete:
                    with contextlib.suppress(*self._encoder.errors):  # there was one before
                        self._encoder.close()
                    raise Unchanged
                self._encoder.close()
        except self._encoder.errors as fault:
            raise self._write_error(fault) from fault
        if kind is None and not complete:
            raise VideoError("no frame was written to '{}'".format(self._path))

    def _reserve(self, stack: "contextlib.ExitStack[Any]") -> str:
        if self._path.suffix.lower() != ".mp4":
            raise OutputError(
                "a clip cannot be written to '{}'; give it a name that ends in .mp4".format(
                    self._path
                )
            )
        try:
            # The suffix picks the format.
            partial = stack.enter_context(replacing(str(self._path), suffix=".mp4"))
            return stack.enter_context(name_for_opencv(partial))
        except OSError as error:
            raise self._write_error(error) from error

    def _write_error(self, error: Exception) -> OutputError:
        return OutputError(
            "cannot write '{}': {}; choose a folder that exists, that you may write to, and that "
            "has room".format(self._path, getattr(error, "strerror", None) or error)
        )


class _PyAvEncoder:
    """H.264, 4:2:0, with the index at the front so that browsers start playing at once."""

    codec = "h264"

    def __init__(
        self, av: Any, path: str, fps: float, size: Tuple[int, int], pixel_aspect: Tuple[int, int]
    ) -> None:
        self._av = av
        self.errors = (OSError, av.FFmpegError)
        self._container = av.open(path, "w", format="mp4", options={"movflags": "+faststart"})
        # 1001 keeps the NTSC rates exact: 29.97 is 30000/1001.
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream(
            "libx264", rate=rate, options={"preset": "veryfast", "crf": "20"}
        )
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = Fraction(_LEAST_STEP).limit_denominator(1000) / rate
        context.sample_aspect_ratio = Fraction(*pixel_aspect)
        # What `write` converts to. Players guess BT.709 for large clips that do not say.
        context.colorspace = self._av.video.reformatter.Colorspace.ITU601
        context.color_range = self._av.video.reformatter.ColorRange.MPEG

    def write(self, frame_bgr_hwc: np.ndarray, place: float) -> None:
        # swscale, which PyAV would use, takes 6 ms for a frame of 960x540 and darkens it by two
        # grey levels; this takes 0.4 ms and does not.
        planes = cv2.cvtColor(frame_bgr_hwc, cv2.COLOR_BGR2YUV_I420)
        frame = self._av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = round(place / _LEAST_STEP)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            self._container.mux(self._stream.encode())  # the frames it still holds
        finally:
            self._container.close()


class _OpenCvEncoder:
    """MPEG-4 Part 2, the one codec that every OpenCV build writes."""

    codec = "mp4v"
    errors = (OSError,)

    def __init__(self, path: str, fps: float, size: Tuple[int, int]) -> None:
        self._path = path
        self._written = 0
        self._last: Optional[np.ndarray] = None
        # The newer spelling, VideoWriter.fourcc, is missing from the OpenCV of JetPack 4.
        fourcc = cv2.VideoWriter_fourcc(*"mp4v")  # type: ignore[attr-defined]
        silence_opencv()
        self._writer = cv2.VideoWriter(path, fourcc, fps, size)
        if not self._writer.isOpened():
            raise OutputError(
                "this OpenCV cannot write '{}' ({}x{} px, mp4v); install PyAV, or write masks "
                "instead of a video".format(path, *size)
            )

    def write(self, frame_bgr_hwc: np.ndarray, place: float) -> None:
        # Its rate is constant: a frame is repeated until the next one is due.
        while self._last is not None and self._written < round(place):
            self._writer.write(self._last)
            self._written += 1
        if self._written <= round(place):
            self._writer.write(frame_bgr_hwc)
            self._written += 1
        self._last = frame_bgr_hwc

    def close(self) -> None:
        self._writer.release()
        # It reports no error, not even a full disk, but a clip that lost its end cannot be opened.
        if not capture_file(self._path).isOpened():
            raise OSError("the clip could not be written to its end")


def _open_encoder(
    path: str, fps: float, size: Tuple[int, int], pixel_aspect: Tuple[int, int]
) -> Union[_PyAvEncoder, _OpenCvEncoder]:
    try:
        import av
    except ImportError:
        return _OpenCvEncoder(path, fps, size)
    if "libx264" not in av.codecs_available:  # builds without GPL parts
        return _OpenCvEncoder(path, fps, size)
    return _PyAvEncoder(av, path, fps, size, pixel_aspect)
