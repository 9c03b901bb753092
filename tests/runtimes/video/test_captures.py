from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from sam2lite.runtimes.video import captures
from sam2lite.runtimes.video.captured import CapturedFrame
from sam2lite.runtimes.video.captures import Connection, PacedCapture


def clip(times_ms: list[float | None]) -> Iterator[CapturedFrame]:
    for index, pts_ms in enumerate(times_ms):
        yield CapturedFrame(np.array(index), index, 0.0, pts_ms)


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(captures, "time", clock)
    return clock


def test_paced_frames_come_in_order_and_end() -> None:
    paced = PacedCapture(clip([None, None]), fps=1000)
    for index in range(2):
        is_read, image = paced.read()
        assert is_read
        assert image == index
    assert paced.read() == (False, None)


def test_paced_frames_do_not_come_early(clock: Clock) -> None:
    paced = PacedCapture(clip([None] * 4), fps=4)
    paced.read()
    clock.now_s += 7  # the first one was not taken at once
    paced.read()
    clock.now_s += 0.4  # a slow decoder: the third frame is late, the fourth is on time again
    paced.read()
    paced.read()
    assert clock.slept_s == pytest.approx([0.25, 0, 0.1])


def test_a_clip_plays_by_its_own_times(clock: Clock) -> None:
    paced = PacedCapture(clip([0, 40, 140, 150, -3, 1e9, float("nan")]), fps=4)
    for _ in range(7):
        paced.read()
    # A time that goes back, or leaps, is damage: the rate of the clip is taken.
    assert clock.slept_s == pytest.approx([0.04, 0.1, 0.01, 0.25, 0.25, 0.25])


def test_a_clip_tells_of_what_is_missing() -> None:
    damaged = [CapturedFrame(np.array(0), index, 0.0, None) for index in (0, 1, 7, 8)]
    paced = PacedCapture(iter(damaged), fps=1000)
    steps = []
    while paced.read()[0]:
        steps.append(paced.step)
    assert steps == [0, 1, 6, 1]


class Wire:
    """A stream that gives so many frames and breaks."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.released = False

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.frames -= 1
        return (True, np.array(self.frames)) if self.frames >= 0 else (False, None)

    def get(self, name: int) -> float:
        assert name == cv2.CAP_PROP_POS_MSEC
        return 40.0 * self.frames

    def release(self) -> None:
        self.released = True


def test_a_connection_comes_back_with_ever_longer_waits(clock: Clock) -> None:
    wires = [Wire(frames) for frames in (2, 0, 0, 0, 0, 0, 3)]
    opened = []

    def connect() -> Wire:
        opened.append(clock.now_s)
        return wires[len(opened)]

    connection = Connection(connect, wires[0])
    assert [connection.read()[0] for _ in range(3)] == [True, True, False]
    assert connection.pts_ms is None
    lost_s = clock.now_s
    while not connection.read()[0]:
        clock.now_s += 0.125
    assert np.diff([lost_s, *opened]).tolist() == [0.5, 1, 2, 4, 8, 8]
    assert connection.reconnects == 1
    assert connection.pts_ms == 80.0
    assert all(wire.released for wire in wires[:-1])
    connection.release()
    assert wires[-1].released


def test_after_a_frame_the_first_wait_is_short_again(clock: Clock) -> None:
    wires = iter([Wire(0), Wire(1), Wire(1)])
    connection = Connection(lambda: next(wires), Wire(1))
    came_s: list[float] = []
    while len(came_s) < 3:
        if connection.read()[0]:
            came_s.append(clock.now_s)
        clock.now_s += 0.125
    assert connection.reconnects == 2
    assert came_s[2] - came_s[1] < 0.8
