"""A procedural clip to measure with where there is no video."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import cv2
import numpy as np

from sam2lite.bench.frame_feed import Footage, Frame, grid_clicks
from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.data.spawning import spawn_context
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.frame_source import FrameSource

WIDTH = 1280
HEIGHT = 720
FRAMES = 48
_SEED = 0
_FPS = 30.0
_MIN_OBJECTS = 2
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class DrawnClip:
    """A clip as JPEG files in memory, and a click on every object that its first frame shows."""

    jpegs: list[bytes]
    clicks: list[tuple[int, int]]


def draw_clip(objects: int, width: int, height: int, frames: int) -> DrawnClip:
    """Draw a clip whose objects stay in view.

    Raises:
        ArgumentError: a size or count that clips cannot have.
    """
    config = ClipConfig(
        height=height,
        width=width,
        frames=frames,
        objects=(max(objects, _MIN_OBJECTS),) * 2,
        leave_probability=0.0,
        occluder_probability=0.0,
    )
    clip = generate_clip(_SEED, config)
    return DrawnClip(
        [_encode(frame_rgb) for frame_rgb in clip.frames_rgb_thwc],
        [first_click(clip, key) for key in clip.object_ids if clip.visible_frames(key)[0] == 0],
    )


class SyntheticFootage(Footage):
    """A procedural clip, played to its end and back and so on, so that it never cuts.

    Frames are held as JPEG: a second of raw video would be the larger part of the memory that is
    measured, and decoding is part of every real source. For the same reason the clip is drawn by a
    process of its own.
    """

    def __init__(
        self, objects: int = 1, width: int = WIDTH, height: int = HEIGHT, frames: int = FRAMES
    ) -> None:
        """Draw the clip.

        Args:
            objects: how many it should show at least.
            width: px.
            height: px.
            frames: before it turns round.

        Raises:
            ArgumentError: a size or count that clips cannot have.
        """
        with ProcessPoolExecutor(1, mp_context=spawn_context()) as pool:
            self._clip = pool.submit(draw_clip, objects, width, height, frames).result()
        super().__init__(_JpegLoop(self._clip.jpegs))

    def clicks(self, count: int) -> list[tuple[int, int]]:
        """Return pixels (x, y) inside `count` objects of the first frame, or on a grid for want."""
        drawn = self._clip.clicks[:count]
        return drawn + grid_clicks(count - len(drawn), self.width, self.height)


class _JpegLoop(FrameSource):
    def __init__(self, jpegs: list[bytes]) -> None:
        self._there_and_back = [*jpegs, *jpegs[-2:0:-1]]
        super().__init__("synthetic", _decode(jpegs[0]), _FPS, None)

    def _captured(self) -> Iterator[CapturedFrame]:
        for index, jpeg in enumerate(cycle(self._there_and_back)):
            yield CapturedFrame(_decode(jpeg), index, now_ms(), None)


def _encode(frame_rgb: Frame) -> bytes:
    frame_bgr = cv2.cvtColor(frame_rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()


def _decode(jpeg: bytes) -> Frame:
    frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if frame is None:
        raise AssertionError("OpenCV cannot read what it wrote")
    return frame
