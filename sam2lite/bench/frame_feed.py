"""What the benchmark is shown: frames of one size, as many as it asks for."""

import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np

from sam2lite.errors import VideoError
from sam2lite.runtimes.video.captured import CapturedFrame
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.source import open_source

Frame = np.ndarray[Any, Any]


class Footage:
    """Frames of a file, again and again, or of a camera for as long as it gives any.

    A context manager, which releases the camera.

    Attributes:
        name: what to call it.
        width: of every frame, px.
        height: of every frame, px.
        passes: how often a recording has been begun.
    """

    def __init__(self, source: FrameSource) -> None:
        self.name = source.name
        self.width = source.width
        self.height = source.height
        self.passes = 0
        self._source = source

    def __enter__(self) -> "Footage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._source.close()

    @property
    def dropped_frames(self) -> int:
        """How many frames of a live source came too fast."""
        return self._source.dropped_frames

    @property
    def is_live(self) -> bool:
        """Whether frames come whether somebody takes them or not."""
        return self._source.is_live

    def captured(self) -> Iterator[CapturedFrame]:
        """Iterate over frames; without end unless live."""
        while True:
            self.passes += 1
            yield from self._source.captured()
            if self.is_live:
                return

    def frames(self) -> Iterator[Frame]:
        """Iterate over the same, uint8 [height, width, 3] in BGR, alone."""
        for captured in self.captured():
            yield captured.image_bgr

    def clicks(self, count: int) -> list[tuple[int, int]]:
        """Return pixels (x, y) to prompt `count` objects at: cell centres of a grid.

        One click is in the middle of the frame.
        """
        return grid_clicks(count, self.width, self.height)


class FrameFeed:
    """Takes frames of a footage and says how long each took to get."""

    def __init__(self, footage: Footage) -> None:
        self._footage = footage
        self._frames = footage.captured()
        self._taken = 0
        self._last: CapturedFrame | None = None

    def take(self) -> tuple[Frame, float]:
        """Return the next frame and the milliseconds it took: decoding, or waiting for a camera.

        Raises:
            VideoError: a live source has ended, or a frame cannot be read.
        """
        started = time.perf_counter()
        frame = next(self._frames, None)
        if frame is None:
            raise VideoError(
                f"'{self._footage.name}' ended after {self._taken} frames; lower --frames, or give "
                "a source that goes on"
            )
        self._taken += 1
        self._last = frame
        return frame.image_bgr, 1e3 * (time.perf_counter() - started)

    def age_ms(self) -> float | None:
        """Return how long ago the last frame was captured, ms; None unless the footage is live."""
        return self._last.age_ms if self._last is not None and self._footage.is_live else None


def open_footage(video: str) -> Footage:
    """Open a video file, a folder of frames or a camera, as `runtimes.video_source` names them.

    Raises:
        VideoError: it cannot be read.
    """
    return Footage(open_source(video))


def grid_clicks(count: int, width: int, height: int) -> list[tuple[int, int]]:
    """Return the centres (x, y) of the first `count` cells of a square grid over the frame, px."""
    side = math.ceil(math.sqrt(count))
    cells = [divmod(index, side) for index in range(count)]
    return [
        (int((column + 0.5) * width / side), int((row + 0.5) * height / side))
        for row, column in cells
    ]
