"""What gives frames, whatever it is."""

import math
from types import TracebackType
from typing import Iterator, Optional, Type

import numpy as np

from sam2lite.errors import VideoError
from sam2lite.files.reading import printable
from sam2lite.runtimes.video.captured import CapturedFrame

DEFAULT_FPS = 30.0  # of folders, and of cameras that do not say


class FrameSource:
    """Frames of one size, one after the other; nothing is kept, however long the source.

    `captured` gives them with their times; iterating gives the uint8 [height, width, 3] arrays in
    BGR order alone. A file or a folder can be read again from its start; a live source goes on from
    where it is.

    Attributes:
        name: what to call it in messages and results.
        first_bgr: uint8 [height, width, 3], the frame that it was opened with.
        width: of every frame, px.
        height: of every frame, px.
        fps: frames per second; `DEFAULT_FPS` where the source does not say.
        pixel_aspect: width of a pixel over its height, as two whole numbers; (1, 1) unless a file
            says otherwise.
        frame_count: how many frames there should be; None if live or not known.
        is_live: whether frames are dropped when the consumer is slower than the source.
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
        self.pixel_aspect = (1, 1)
        if first is None:
            raise VideoError(
                "not one frame of '{}' can be decoded; it is damaged, cut short, or its codec is "
                "not known here: try `ffmpeg -i IN -c:v libx264 OUT.mp4`".format(name)
            )
        self.first_bgr = first
        self.height, self.width = first.shape[:2]
        self._check(first, 0)

    @property
    def dropped_frames(self) -> int:
        """How many frames came and went while the consumer was busy; 0 unless live."""
        return 0

    @property
    def warning(self) -> Optional[str]:
        """What was odd about a source that has been read to its end, or None."""
        return None

    def captured(self) -> Iterator[CapturedFrame]:
        """Give the frames with their place in the source and their times.

        Raises:
            VideoError: a frame cannot be read, or has another size or type than the first.
        """
        for frame in self._captured():
            self._check(frame.image_bgr, frame.source_index)
            yield frame

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in self.captured():
            yield frame.image_bgr

    def __enter__(self) -> "FrameSource":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def end(self) -> None:
        """Let whoever waits for a frame wait no longer: there is none, if this is a live source.

        A signal's handler may call it.
        """

    def close(self) -> None:
        """Release the device behind a live source; there is nothing to release otherwise."""

    def _captured(self) -> Iterator[CapturedFrame]:
        raise NotImplementedError

    def _check(self, frame: np.ndarray, index: int) -> None:
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
