"""A run of the Python loop, with all that its graphs were given and gave, for another loop."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sam2lite.contracts.manifest import MANIFEST_FILE
from sam2lite.runtimes import rle
from sam2lite.runtimes.results import ObjectResult
from sam2lite.runtimes.rules.current_frame import CurrentFrame
from sam2lite.runtimes.segmenter import VideoSegmenter

WIDTH, HEIGHT = 321, 240
TRACK, PROMPT, REMOVE = "track", "prompt", "remove"

# Two objects, a click beside one, a correction, one that comes late, a box, a removal.
STEPS: tuple[dict[str, Any], ...] = (
    {"do": TRACK, "frame": 0},
    {"do": PROMPT, "frame": 0, "id": 1, "points": [[100, 90]], "labels": [1]},
    {"do": PROMPT, "frame": 0, "id": 2, "points": [[200, 150], [30, 30]], "labels": [1, 0]},
    {"do": TRACK, "frame": 1},
    {"do": TRACK, "frame": 2},
    {"do": PROMPT, "frame": 2, "id": 1, "points": [[104, 95], [150, 10]], "labels": [1, 0]},
    {"do": TRACK, "frame": 3},
    {"do": TRACK, "frame": 4},
    {"do": PROMPT, "frame": 3, "id": 2, "points": [], "labels": [], "box": [180, 120, 260, 200]},
    {"do": TRACK, "frame": 5},
    {"do": REMOVE, "id": 1},
    {"do": TRACK, "frame": 6},
    {"do": PROMPT, "frame": 6, "id": 3, "points": [[60, 200]], "labels": [1]},
    {"do": TRACK, "frame": 7},
    {"do": TRACK, "frame": 8},
)


class _Arrays:
    """Arrays in one file, each once."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._places: dict[bytes, int] = {}

    def add(self, array: np.ndarray) -> dict[str, Any]:
        raw = np.ascontiguousarray(array).tobytes()
        key = hashlib.sha256(raw).digest()
        if key not in self._places:
            self.content += bytes(-len(self.content) % 4)
            self._places[key] = len(self.content)
            self.content += raw
        return {"type": array.dtype.name, "dims": array.shape, "at": self._places[key]}


def pictures() -> list[np.ndarray]:
    """Return frames that differ, uint8 [h, w, 3] in BGR: a disc over coloured noise."""
    draw = np.random.RandomState(0)
    ground = cv2.resize(draw.randint(0, 255, (12, 16, 3)).astype(np.uint8), (WIDTH, HEIGHT))
    frames = []
    for index in range(9):
        frame = np.roll(ground, 2 * index, axis=1).copy()
        cv2.circle(frame, (100 + 4 * index, 90 + 3 * index), 34, (40, 200, 220), -1)
        frames.append(frame)
    return frames


def record(bundle: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Run the steps, write what another loop needs to a folder, and return what each gave."""
    arrays, calls = _Arrays(), []
    run = CurrentFrame.run

    def recorded(frame: CurrentFrame, graph: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        given = run(frame, graph, inputs)
        sides = {}
        for side, tensors in (("inputs", inputs), ("outputs", given)):
            hosted = {
                name: each if isinstance(each, np.ndarray) else frame.host(each)
                for name, each in tensors.items()
            }
            sides[side] = {name: arrays.add(array) for name, array in hosted.items()}
        calls.append({"name": graph, "rung": frame.size, **sides})
        return given

    monkeypatch.setattr(CurrentFrame, "run", recorded)
    frames = pictures()
    with VideoSegmenter(str(bundle)) as segmenter:
        found = [_done(segmenter, step, frames) for step in STEPS]
    rgba = [cv2.cvtColor(frame, cv2.COLOR_BGR2RGBA) for frame in frames]
    (folder / "arrays.bin").write_bytes(arrays.content)
    (folder / "frames.bin").write_bytes(np.stack(rgba).tobytes())
    told = {"width": WIDTH, "height": HEIGHT, "steps": STEPS, "calls": calls}
    (folder / "run.json").write_text(json.dumps(told))
    (folder / MANIFEST_FILE).write_text((bundle / MANIFEST_FILE).read_text())
    return found


def _done(segmenter: VideoSegmenter, step: Mapping[str, Any], frames: list[np.ndarray]) -> Any:
    if step["do"] == REMOVE:
        segmenter.remove(step["id"])
        return {}
    index = step["frame"]
    if step["do"] == TRACK:
        return _told(segmenter.track(frames[index], frame_index=index).objects)
    prompt = {name: step.get(name) for name in ("points", "labels", "box")}
    result = segmenter.prompt(frames[index], step["id"], frame_index=index, **prompt)
    return _told({step["id"]: result})


def _told(objects: Mapping[int, ObjectResult]) -> dict[str, Any]:
    return {
        str(key): {
            "visible": each.visible,
            "lost": each.lost,
            "iou": each.iou,
            "score": each.object_score,
            "rle": rle.encode(each.mask),
        }
        for key, each in objects.items()
    }
