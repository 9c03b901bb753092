import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from sam2lite.errors import VideoError
from sam2lite.runtimes.video.camera import LatestFrame, PacedCapture

PATIENCE_S = 30  # for threads that answer at once


class GatedCapture:
    """A camera whose frames come when the test says so; a frame is its own number."""

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
        self._delivered += frames
        for _ in range(frames):
            self._gate.release()
        with self._asked:
            assert self._asked.wait_for(lambda: self._reads == self._delivered + 1, PATIENCE_S)

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


def number(frame: np.ndarray | None) -> int:
    assert frame is not None
    return int(frame)


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


def test_a_clip_ends_after_its_last_frame(capture: GatedCapture, open_latest: Open) -> None:
    latest = open_latest(ends=True)
    capture.deliver(2)
    capture.fail()
    assert number(latest.take()) == 1
    assert latest.take() is None
    assert latest.take() is None


def test_close_ends_the_thread_and_releases(capture: GatedCapture, open_latest: Open) -> None:
    latest = open_latest()
    capture.deliver(1)
    capture.fail()
    latest.close()
    assert capture.is_released
    assert number(latest.take()) == 0
    assert latest.take() is None


class BrokenCapture:
    def read(self) -> tuple[bool, None]:
        raise VideoError("frame 3 is damaged")

    def release(self) -> None:
        pass


def test_an_error_of_the_capture_reaches_the_consumer() -> None:
    latest = LatestFrame(BrokenCapture(), "camera 0")
    with pytest.raises(VideoError, match="frame 3 is damaged"):
        latest.take()
    latest.close()


def test_paced_frames_come_in_order_and_end() -> None:
    paced = PacedCapture(iter([np.array(0), np.array(1)]), fps=1000)
    assert [number(paced.read()[1]) for _ in range(2)] == [0, 1]
    assert paced.read() == (False, None)


def test_paced_frames_do_not_come_early(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, slept_s = 100.0, []

    def sleep(seconds: float) -> None:
        nonlocal now_s
        slept_s.append(seconds)
        now_s += seconds

    monkeypatch.setattr("sam2lite.runtimes.video.camera.time.monotonic", lambda: now_s)
    monkeypatch.setattr("sam2lite.runtimes.video.camera.time.sleep", sleep)
    paced = PacedCapture(iter([np.array(index) for index in range(4)]), fps=4)
    paced.read()
    paced.read()
    now_s += 0.4  # a slow decoder: the third frame is late, the fourth is on time again
    paced.read()
    paced.read()
    assert slept_s == pytest.approx([0, 0.25, 0, 0.1])
