"""A served stream whose frames come when a test says so, and whose tracker is a disc at a click."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.results import FrameResult, ObjectResult
from sam2lite.runtimes.serve.address import find_address
from sam2lite.runtimes.serve.loop import ServedLoop
from sam2lite.runtimes.serve.result_lines import ResultLines
from sam2lite.runtimes.serve.server import PageServer
from sam2lite.runtimes.video.captured import CapturedFrame, now_ms
from sam2lite.runtimes.video.frame_source import FrameSource
from tests.runtimes.serve.client import Client

WIDTH, HEIGHT = 96, 64
FACTS = {
    "video": "fake",
    "width": WIDTH,
    "height": HEIGHT,
    "pixel_aspect": [1, 1],
    "live": True,
    "model": "disc",
    "precision": "fp32",
    "trained": True,
    "simulated": False,
    "rungs": [240, 480],
    "budget_ms": 33.0,
    "most_objects": 16,
    "most_points": 8,
}


def frame_of(index: int) -> np.ndarray:
    """Return a frame of one grey, by which its index is known again, the first 32 of them."""
    return np.full((HEIGHT, WIDTH, 3), 8 * (index % 32) + 4, np.uint8)


def index_of(frame_bgr: np.ndarray) -> int:
    """Return which frame a picture shows, JPEG or not."""
    return int(frame_bgr.mean() // 8)


class FakeSource(FrameSource):
    """Gives a frame whenever `give` is called, and ends after `end`."""

    is_live = True

    def __init__(self) -> None:
        super().__init__("fake", frame_of(0), 25.0, None)
        self.waiting: queue.Queue[int | None] = queue.Queue()
        self._next = 0

    def give(self, count: int = 1) -> None:
        for _ in range(count):
            self.waiting.put(self._next)
            self._next += 1

    def end(self) -> None:
        self.waiting.put(None)

    def _captured(self) -> Iterator[CapturedFrame]:
        while True:
            index = self.waiting.get()
            if index is None:
                return
            yield CapturedFrame(frame_of(index), index, now_ms(), 40.0 * index)


class FakeSegmenter:
    """Follows by doing nothing: a mask stays where its object was prompted last."""

    def __init__(self) -> None:
        self.objects: dict[int, np.ndarray] = {}
        self.hidden: set[int] = set()
        self.lost: set[int] = set()
        self.prompts: list[tuple[int, int, Prompt, np.ndarray]] = []  # frame, object, ...
        self.index = -1
        self.threads: set[str] = set()  # that have called it

    def track(self, frame: np.ndarray, frame_index: int) -> FrameResult:
        self.threads.add(threading.current_thread().name)
        assert frame_index >= self.index
        self.index = frame_index
        found = {key: self._result(key, False) for key in self.objects}
        return FrameResult(frame_index, found, 240, {"total": 1.25}, None)

    def give(self, frame: np.ndarray, object_id: int, prompt: Prompt, index: int) -> ObjectResult:
        self.threads.add(threading.current_thread().name)
        prompt.inside(frame.shape[1], frame.shape[0])
        if len(self.objects) > 15:
            raise ArgumentError("too many objects")
        self.prompts.append((index, object_id, prompt, frame))
        y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
        if prompt.box_xyxy is not None:
            x1, y1, x2, y2 = prompt.box_xyxy
            mask = (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
        else:
            mask = ((prompt.points_xy[0] - np.stack([x, y], -1)) ** 2).sum(-1) < 100
        self.objects[object_id] = mask
        return self._result(object_id, True)

    def remove(self, object_id: int) -> None:
        if object_id not in self.objects:
            raise ArgumentError(f"there is no object {object_id} to remove")
        del self.objects[object_id]

    def _result(self, key: int, prompted: bool) -> ObjectResult:
        visible = key not in self.hidden | self.lost
        mask = self.objects[key] & visible
        logits = np.zeros((4, 4), np.float32)
        return ObjectResult(mask, logits, 0.9, 3.0, visible, key in self.lost, prompted)


class Served:
    """A server with a loop in a thread of its own, as the main thread is to `serve`."""

    def __init__(self, host: str = "127.0.0.1", waits: bool = False) -> None:
        self.source = FakeSource()
        self.segmenter = FakeSegmenter()
        self.lines = ResultLines({"sam2lite_version": "0"})
        tracker: Any = self.segmenter
        self.loop = ServedLoop(tracker, self.source, self.lines, waits)
        self.server = PageServer(find_address(host, 0))
        self.server.begin(self.loop, self.lines, FACTS)
        self.thread = threading.Thread(target=self.loop.run, name="the loop", daemon=True)
        self.thread.start()
        token = self.server.guard.token
        self.client = Client("127.0.0.1" if host == "0.0.0.0" else host, self.server.port, token)

    def end(self) -> None:
        self.loop.end()
        self.thread.join(10)
        self.server.end()
        self.lines.__exit__(None, None, None)
        assert not self.thread.is_alive()


@pytest.fixture
def served() -> Iterator[Served]:
    """A live stream, open to this machine alone."""
    made = Served()
    yield made
    made.end()


@pytest.fixture
def open_to_all() -> Iterator[Served]:
    """A live stream that needs the token."""
    made = Served("0.0.0.0")
    yield made
    made.end()
