"""What `examples/gstreamer_appsink.py` uses of PyGObject: a pipeline of given frames."""

from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


class Sample:
    """A frame as an appsink gives it: rows padded to a multiple of 4 bytes."""

    def __init__(self, frame_bgr: np.ndarray) -> None:
        self._height, self._width = frame_bgr.shape[:2]
        row = 3 * self._width
        padded = np.zeros((self._height, -(-row // 4) * 4), np.uint8)
        padded[:, :row] = frame_bgr.reshape(self._height, row)
        self._data = padded.tobytes()
        self.mapped = 0

    def get_caps(self) -> Any:
        shape = {"width": self._width, "height": self._height}
        return SimpleNamespace(get_structure=lambda _: SimpleNamespace(get_value=shape.get))

    def get_buffer(self) -> Any:
        return self

    def map(self, flags: int) -> tuple[bool, Any]:
        self.mapped += 1
        return True, SimpleNamespace(data=self._data)

    def unmap(self, memory: Any) -> None:
        self.mapped -= 1


class Pipeline:
    """A pipeline that gives frames and then ends, or fails.

    Attributes:
        text: that it was made from.
        states: that it was set to.
        samples: that it gave.
    """

    def __init__(self, frames_bgr: Sequence[np.ndarray], failure: str | None, ends: bool) -> None:
        self.text = ""
        self.states: list[str] = []
        self.samples = [Sample(frame) for frame in frames_bgr]
        self._left = list(self.samples)
        self._failure, self._ends = failure, ends

    def set_state(self, state: str) -> None:
        self.states.append(state)

    def get_by_name(self, name: str) -> Any:
        assert f"appsink name={name} " in self.text
        return SimpleNamespace(emit=self._pull, get_property=lambda name: self._ends)

    def get_bus(self) -> Any:
        return SimpleNamespace(pop_filtered=lambda kind: self._message())

    def _pull(self, signal: str, wait_ns: int) -> Sample | None:
        assert (signal, wait_ns) == ("try-pull-sample", 5_000_000_000)
        return self._left.pop(0) if self._left else None

    def _message(self) -> Any:
        if self._failure is None:
            return None
        return SimpleNamespace(parse_error=lambda: (self._failure, "where"))


def modules(pipeline: Pipeline) -> dict[str, ModuleType]:
    """Return the modules by the names under which they are imported."""

    def launched(text: str) -> Pipeline:
        pipeline.text = text
        return pipeline

    gst = SimpleNamespace(
        init=lambda arguments: None,
        parse_launch=launched,
        SECOND=1_000_000_000,
        State=SimpleNamespace(PLAYING="playing", NULL="null"),
        MapFlags=SimpleNamespace(READ=1),
        MessageType=SimpleNamespace(ERROR=1),
    )
    gi, repository = ModuleType("gi"), ModuleType("gi.repository")
    gi.__dict__["require_version"] = lambda name, version: None
    repository.__dict__["Gst"] = gst
    return {"gi": gi, "gi.repository": repository}
