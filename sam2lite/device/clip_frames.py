"""What `bench` tracks: frames of a source, again and again unless it is live, or moving noise."""

import time
from contextlib import ExitStack
from itertools import chain, count, repeat
from typing import Any, Callable, Iterator, NamedTuple, Optional, Tuple

NOISE_WIDTH, NOISE_HEIGHT = 1280, 720
SHIFT_PX = 4  # a frame, so that no two in a row are the same


class Footage(NamedTuple):
    """Frames, and how many of them came and went while the last one was tracked.

    Attributes:
        frames: `CapturedFrame`s.
        is_live: whether they come whether somebody takes them or not.
        dropped_frames: tells how many a live source has dropped so far.
    """

    frames: Iterator[Any]
    is_live: bool
    dropped_frames: Callable[[], int]


def open_footage(video: Optional[str], stack: ExitStack) -> Footage:
    """Open a source, which the stack closes, or noise where there is none.

    Raises:
        Sam2LiteError: those of `open_source`.
    """
    if video is None:
        return Footage(_noise(), False, lambda: 0)
    from sam2lite.runtimes.video.source import open_source

    source = stack.enter_context(open_source(video))
    # A camera goes on from where it is; a file starts again.
    passes = repeat(source, 1) if source.is_live else repeat(source)
    frames = chain.from_iterable(each.captured() for each in passes)
    return Footage(frames, source.is_live, lambda: source.dropped_frames)


def timed(frames: Iterator[Any]) -> Iterator[Tuple[Any, float]]:
    """Give every frame with the milliseconds it took to get."""
    while True:
        started = time.perf_counter()
        frame = next(frames, None)
        if frame is None:
            return
        yield frame, 1e3 * (time.perf_counter() - started)


def _noise() -> Iterator[Any]:
    import cv2
    import numpy as np

    from sam2lite.runtimes.video.captured import CapturedFrame, now_ms

    coarse = np.random.RandomState(0).randint(0, 256, (NOISE_HEIGHT // 16, NOISE_WIDTH // 16, 3))
    frame = cv2.resize(coarse.astype(np.uint8), (NOISE_WIDTH, NOISE_HEIGHT))
    for index in count():
        yield CapturedFrame(frame, index, now_ms(), None)
        frame = np.roll(frame, SHIFT_PX, axis=1)
