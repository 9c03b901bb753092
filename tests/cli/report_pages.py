"""What pages of `sam2lite report` are made from in tests, and how they are read."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sam2lite.runtimes.bundle import read_manifest
from sam2lite.runtimes.video.writer import VideoWriter

Data = dict[str, Any]
VOID = {"img", "meta", "br"}
FRAMES = 60


class Page(HTMLParser):
    """A page, taken apart.

    Attributes:
        text: all that a reader sees, styles left out.
        tags: how often each element is there.
        addresses: whatever the page points to.
        anchors: ids.
        wrong: elements that are not closed as they should.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.addresses = "", dict[str, int](), list[str]()
        self.anchors, self.wrong, self._open = list[str](), list[str](), list[str]()
        self.feed(html)
        self.close()
        self.wrong += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        given = dict(attrs)
        self.addresses += [given[name] or "" for name in ("src", "href", "data") if name in given]
        self.anchors += [given["id"] or ""] if "id" in given else []
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data


def sha256_of(bundle: Path) -> str:
    return read_manifest(str(bundle))[1]


def written(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data))
    return path


def bench_data(sha256: str, budget: bool = True) -> Data:
    """Return a benchmark as `sam2lite-bench --json` writes it."""
    rng = np.random.default_rng(1)
    frame_ms = np.round(18 + 4 * rng.random(FRAMES) + 30 * (rng.random(FRAMES) > 0.97), 3).tolist()
    stages = ("decode", "preprocess", "image_encoder", "mask_decoder", "postprocess", "total")
    times = {"p50": 3.0, "p95": 4.0, "p99": 5.0}
    trace = [
        {
            "frame": index,
            "rung": 480 if index < 20 else 336,
            "window": 8,
            "latency_ms": spent,
            "status": "holding",
        }
        for index, spent in enumerate(frame_ms)
    ]
    return {
        "schema_version": 1,
        "bundle_sha256": sha256,
        "machine": {
            "model": "A processor",
            "cores": 2,
            "system": "Linux",
            "load_average": [0.1, 0.2],
            "versions": {"numpy": "2.0"},
        },
        "threads": 2,
        "video": {"name": "in.mp4", "width": 640, "height": 480, "passes": 1},
        "objects": 1,
        "rss_mb": 100.0,
        "peak_rss_mb": 120.0,
        "frames": FRAMES,
        "warmup": 2,
        "rung": None,
        "startup_ms": 150.0,
        "stages_ms": dict.fromkeys(stages, times),
        "frame_ms": frame_ms,
        "outside_graphs_ms": times,
        "fps": 40.0,
        "dropped_frames": 0,
        "lost_frames": 0,
        "load": {"processes": 1, "first_frame": 20, "end_frame": 40} if budget else None,
        "object_costs": None,
        "budget": {"budget_ms": 33.0, "within_budget": 0.9, "status": "holding", "phases": []}
        if budget
        else None,
        "controller": trace if budget else [],
        "power": None,
        "temperature_c": {"cpu": 61.0},
        "clocks_mhz": {},
        "warnings": ["the budget of 33 ms was missed"],
    }


def rungs_data(sha256: str) -> Data:
    """Return a benchmark of all input sizes."""
    cost = {"open_ms": 80.0, "first_frame_ms": 9.0, "rss_mb": 150.0}
    rows = [{"rung": rung, "p50_ms": rung / 30, **cost} for rung in (480, 240)]
    return {"bundle_sha256": sha256, "threads": 2, "objects": 1, "rungs": rows, "warnings": []}


def eval_data(sha256: str) -> Data:
    """Return scores as `sam2lite eval -o` writes them."""
    scores = {"jf": 55.5, "first_frame_j": 60.0, "j": 53.0, "f": 58.0, "j_last4": 50.0}
    worst = {"clip": "c/1", "object": 2, "first_frame_j": 9.0, "jf": 4.0, "frames": [1], "j": [2.0]}
    return {
        "bundle": "b",
        "bundle_sha256": sha256,
        "weights": "untrained",
        "source": "eval-v1",
        "prompt": "click",
        "clips": 4,
        "frames": 64,
        "objects": 9,
        "rung": 480,
        **scores,
        "rungs": {"480": scores},
        "baselines": {"copy": {**scores, "jf": None, "prompt": "mask", "variant": "copy"}},
        "per_object": [worst],
    }


def track_data(sha256: str) -> Data:
    """Return results as `sam2lite track` writes them: hidden from frame 20 on for 8."""

    def found(index: int) -> Data:
        hidden = 20 <= index < 28
        iou = 0.2 if index == 40 else 0.8
        return {"visible": not hidden, "lost": False, "iou": iou, "object_score": 3.0, "rle": {}}

    return {
        "bundle_sha256": sha256,
        "video": "in.mp4",
        "fps": 24.0,
        "simulated": False,
        "live": False,
        "budget_ms": None,
        "frames": [
            {
                "index": index,
                "pts_ms": 1000.0 * index / 24.0,
                "rung": 240,
                "compute_ms": 12.5,
                "latency_ms": 14.0,
                "lost": False,
                "objects": {"1": found(index)},
            }
            for index in range(FRAMES)
        ],
        "dropped_frames": 3,
        "warnings": ["something was odd"],
    }


def track_folder(folder: Path, sha256: str) -> Path:
    """Write a folder of `sam2lite track`, whose overlay shows the number of each frame."""
    folder.mkdir()
    written(folder / "results.json", track_data(sha256))
    with VideoWriter(str(folder / "overlay.mp4"), 24.0, 160, 96) as video:
        for index in range(FRAMES):
            frame = np.full((96, 160, 3), 4 * index, np.uint8)
            cv2.putText(frame, str(index), (8, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (255, 90, 0), 3)
            video.write(frame)
    return folder


def sensitivity_data() -> list[Data]:
    """Return what `sam2lite sensitivity --json` prints."""
    return [
        {"name": "image_encoder", "sqnr_db": 22.0, "clip_iou": 0.97},
        {"name": "image_encoder.stem.0", "sqnr_db": 31.5, "clip_iou": None},
        {"name": "mask_decoder.iou", "sqnr_db": 28.0},
    ]
