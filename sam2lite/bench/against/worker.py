"""One of two contenders, in a process of its own: thread pools spin, and take each other's time.

An order, a line of JSON, opens a bundle. Every further line is a number of frames to track, and is
answered by what each took: a line of JSON with `wall_ms` and `cpu_ms`. It ends with its input.
"""

import json
import sys
import time
from contextlib import ExitStack
from typing import Any

from sam2lite.bench.frame_feed import FrameFeed, open_footage
from sam2lite.bench.startup import LoopSettings, start
from sam2lite.bench.synthetic import SyntheticFootage
from sam2lite.errors import Sam2LiteError
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.prompts import Prompt


def run() -> None:
    """Be a contender."""
    order = json.loads(sys.stdin.readline())
    try:
        _obey(order)
    except Sam2LiteError as error:
        _answer(error=str(error))


def _obey(order: dict[str, Any]) -> None:
    objects: int = order["objects"]
    settings = LoopSettings(order["rung"], order["threads"], backend=order["backend"])
    with ExitStack() as stack:
        open_bundle(order["bundle"], order["backend"]).share_threads(order["threads"])
        video = order["video"]
        footage = stack.enter_context(open_footage(video) if video else SyntheticFootage(objects))
        feed = FrameFeed(footage)
        frame, _ = feed.take()
        clicks = footage.clicks(objects)
        prompts = {key: Prompt([clicks[key - 1]]) for key in range(1, objects + 1)}
        segmenter = stack.enter_context(start(order["bundle"], frame, prompts, settings).segmenter)
        _answer()
        for line in sys.stdin:
            wall_ms, cpu_ms = [], []
            for _ in range(int(line)):
                frame, _ = feed.take()
                wall, cpu = time.perf_counter(), time.process_time()
                segmenter.track(frame)
                wall_ms.append(1e3 * (time.perf_counter() - wall))
                cpu_ms.append(1e3 * (time.process_time() - cpu))
            _answer(wall_ms=wall_ms, cpu_ms=cpu_ms)


def _answer(**found: Any) -> None:
    print(json.dumps(found), flush=True)
