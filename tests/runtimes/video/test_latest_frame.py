import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sam2lite.errors import VideoError
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.latest_frame import LatestFrame

PATIENCE_S = 30  # for threads that answer at once


class GatedCapture:
    """A camera whose frames come when the test says so; a frame is its own number."""

    pts_ms = None
    step = 1

    def __init__(self) -> None:
        self.is_released = False
        self._delivered = 0
        self._is_broken = False
        self._gate = threading.Semaphore(0)
        self._asked = threading.Condition()
        self._reads = 0

    def read(self) -> tuple[bool, np.ndarray | None]:
        with self._asked:
            self._reads += 1
            self._asked.notify_all()
        self._gate.acquire()
        return (False, None) if self._is_broken else (True, np.array(self._reads - 1))

    def release(self) -> None:
        self.is_released = True

    def deliver(self, frames: int) -> None:
        """Let frames through; return when the reader asks for the one after them."""
        self.let_through(frames)
        with self._asked:
            assert self._asked.wait_for(lambda: self._reads == self._delivered + 1, PATIENCE_S)

    def let_through(self, frames: int) -> None:
        """Let frames through, whether the reader asks for them or not."""
        self._delivered += frames
        for _ in range(frames):
            self._gate.release()

    def fail(self) -> None:
        """Let every read from now on fail at once."""
        self._is_broken = True
        for _ in range(10_000):
            self._gate.release()


Open = Callable[..., LatestFrame]


@pytest.fixture
def capture() -> GatedCapture:
    return GatedCapture()


@pytest.fixture
def open_latest(capture: GatedCapture) -> Iterator[Open]:
    opened = []

    def open_it(**settings: object) -> LatestFrame:
        opened.append(LatestFrame(capture, "camera 0", **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield open_it
    capture.fail()
    for latest in opened:
        latest.close()
    assert "latest-frame" not in {thread.name for thread in threading.enumerate()}
    assert capture.is_released


def number(frame: CapturedFrame | None) -> int:
    assert frame is not None
    return int(frame.image_bgr)


def test_a_fast_consumer_gets_every_frame(capture: GatedCapture, open_latest: Open) -> None:
    latest = open_latest()
    for expected in range(5):
        capture.deliver(1)
        assert number(latest.take()) == expected
    assert latest.dropped_frames == 0


def test_a_slow_consumer_gets_the_newest_frame(capture: GatedCapture, open_latest: Open) -> None:
    latest = open_latest()
    capture.deliver(1)
    assert number(latest.take()) == 0
    capture.deliver(5)
    assert number(latest.take()) == 5
    assert latest.dropped_frames == 4
    capture.deliver(2)
    assert number(latest.take()) == 7
    assert latest.dropped_frames == 5


def test_frames_know_their_place_and_their_time(capture: GatedCapture, open_latest: Open) -> None:
    latest = open_latest()
    capture.deliver(3)
    before_ms = now_ms()
    taken = []
    for delivered in (1, 4, 2):
        taken.append(latest.take())
        capture.deliver(delivered)
    taken.append(latest.take())
    frames = [frame for frame in taken if frame is not None]
    assert [frame.source_index for frame in frames] == [0, 1, 5, 7]
    assert [number(frame) for frame in frames] == [2, 3, 7, 9]
    assert latest.dropped_frames == 7 - 3
    times_ms = [frame.capture_ms for frame in frames]
    assert times_ms == sorted(times_ms)
    assert times_ms[0] <= before_ms <= times_ms[1] <= now_ms()
    assert frames[-1].age_ms >= 0


def test_what_came_before_the_first_take_is_not_dropped(
    capture: GatedCapture, open_latest: Open
) -> None:
    latest = open_latest()
    capture.deliver(10)
    assert number(latest.peek()) == 9
    assert number(latest.take()) == 9
    assert latest.dropped_frames == 0


def test_take_waits_for_a_frame(capture: GatedCapture, open_latest: Open) -> None:
    latest = open_latest()
    deliverer = threading.Timer(0.05, capture.deliver, [1])
    deliverer.start()
    assert number(latest.take()) == 0
    deliverer.join()


@pytest.mark.parametrize("breaks", [True, False], ids=["failing reads", "hanging read"])
def test_a_camera_that_stops_is_an_error(
    capture: GatedCapture, open_latest: Open, breaks: bool
) -> None:
    latest = open_latest(stall_timeout_s=0.2)
    capture.deliver(1)
    latest.take()
    if breaks:
        capture.fail()
    with pytest.raises(VideoError, match=r"camera 0 has delivered no frame for 0\.2 s; check"):
        latest.take()


def test_a_camera_that_never_starts_is_an_error(open_latest: Open) -> None:
    with pytest.raises(VideoError, match="no frame for"):
        open_latest(stall_timeout_s=0.05).peek()


def test_a_frame_that_is_kept_waits_until_it_is_taken(
    capture: GatedCapture, open_latest: Open
) -> None:
    latest = open_latest(ends=True, kept={0, 2})
    capture.let_through(6)
    taken = [latest.take(), latest.take()]  # however long it took to come for them
    if number(taken[1]) == 1:
        taken.append(latest.take())
    assert [number(taken[0]), number(taken[-1])] == [0, 2]
    capture.deliver(0)
    assert number(latest.take()) == 5
    capture.fail()
    assert latest.take() is None
    assert latest.take() is None
    assert latest.dropped_frames + len(taken) + 1 == 6


def test_the_time_of_a_clip_begins_when_its_first_frame_is_taken(
    capture: GatedCapture, open_latest: Open
) -> None:
    latest = open_latest(ends=True, kept={0})
    capture.let_through(1)
    latest.peek()
    before_ms = now_ms()
    frame = latest.take()
    assert frame is not None
    assert frame.capture_ms >= before_ms


def test_closing_does_not_wait_for_a_kept_frame(capture: GatedCapture, open_latest: Open) -> None:
    latest = open_latest(kept={0})
    capture.let_through(1)
    latest.peek()
    latest.close()


def test_close_ends_the_thread_and_releases(capture: GatedCapture, open_latest: Open) -> None:
    latest = open_latest()
    capture.deliver(1)
    capture.fail()
    latest.close()
    assert capture.is_released
    assert number(latest.take()) == 0
    assert latest.take() is None


class BrokenCapture:
    pts_ms = None
    step = 1

    def read(self) -> tuple[bool, None]:
        raise VideoError("frame 3 is damaged")

    def release(self) -> None:
        pass


def test_an_error_of_the_capture_reaches_the_consumer() -> None:
    latest = LatestFrame(BrokenCapture(), "camera 0")
    with pytest.raises(VideoError, match="frame 3 is damaged"):
        latest.take()
    latest.close()
