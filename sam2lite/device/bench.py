"""Measure the bundle on this board: milliseconds by stage, frames a second, memory."""

import argparse
import json
import sys
import time
from contextlib import ExitStack
from itertools import chain, islice, repeat
from typing import Any, Dict, Iterator, List, Optional, Tuple

from sam2lite.device.opening import add_common, open_checked, positive, require_numpy
from sam2lite.errors import OutputError, VideoError

NOISE_WIDTH, NOISE_HEIGHT = 1280, 720
SHIFT_PX = 4  # a frame, so that no two in a row are the same


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--video",
        metavar="FILE|INDEX",
        help="what to track, again from its start if too short; moving noise of {}x{} px if not "
        "given".format(NOISE_WIDTH, NOISE_HEIGHT),
    )
    parser.add_argument(
        "--point", action="append", metavar="X,Y[,LABEL[,OBJECT]]", help="the centre; repeatable"
    )
    parser.add_argument("--frames", type=positive, default=200, metavar="N", help="200")
    parser.add_argument("--warmup", type=positive, default=10, metavar="N", help="10, not counted")
    add_common(parser)
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file as well")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print a table and write the figures.

    Raises:
        Sam2LiteError: those of `open_checked`, `open_source` and `VideoSegmenter`.
        OutputError: the file cannot be written.
        ImportError: NumPy or OpenCV is missing.
    """
    report = measure(arguments)
    sys.stdout.write("\n".join(table(report)) + "\n")
    if arguments.json:
        try:
            with open(arguments.json, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(report, indent=1) + "\n")
        except OSError as error:
            raise OutputError(
                "cannot write '{}': {}; choose a place that you may write to".format(
                    arguments.json, error.strerror
                )
            )
    return 0


def measure(arguments: argparse.Namespace) -> Dict[str, Any]:
    """Track frames; return times by stage as percentiles, frames a second and memory.

    Objects count as present on every frame, so that every frame does all of the work.

    Raises:
        Sam2LiteError: see `run`.
    """
    require_numpy()
    from sam2lite.runtimes.memory import peak_rss_mb
    from sam2lite.runtimes.percentiles import percentiles
    from sam2lite.runtimes.presence import always_present
    from sam2lite.runtimes.prompt_flags import parse_prompts
    from sam2lite.runtimes.prompts import Prompt
    from sam2lite.runtimes.segmenter import VideoSegmenter

    prompts = parse_prompts(arguments.point or [], [], [], None).get(0)
    bundle = open_checked(arguments)
    times: Dict[str, List[float]] = {}
    with ExitStack() as stack:
        frames = _frames(arguments.video, stack)
        first = next(frames)
        height, width = first.shape[:2]
        prompts = prompts or {1: Prompt([(width // 2, height // 2)])}
        segmenter = stack.enter_context(
            VideoSegmenter(
                always_present(bundle),
                arguments.budget_ms,
                rung=arguments.rung,
                threads=arguments.threads,
            )
        )
        for object_id, prompt in prompts.items():
            segmenter.give(first, object_id, prompt)
        for frame in islice(frames, arguments.warmup):
            segmenter.track(frame)
        for frame, decode_ms in islice(_timed(frames), arguments.frames):
            result = segmenter.track(frame)
            for stage, spent_ms in chain([("decode", decode_ms)], result.stage_ms.items()):
                times.setdefault(stage, []).append(spent_ms)
        rung = segmenter.rung
    measured = len(times.get("total", ()))
    if measured < arguments.frames:
        raise VideoError(
            "'{}' ended after {} measured frames, {} were asked for; lower --frames, or give a "
            "source that goes on".format(arguments.video, measured, arguments.frames)
        )
    return {
        "model": bundle.manifest.model.name,
        "precision": bundle.manifest.precision,
        "bundle_sha256": bundle.sha256,
        "video": arguments.video or "noise",
        "width": width,
        "height": height,
        "objects": len(prompts),
        "rung": rung,
        "budget_ms": arguments.budget_ms,
        "frames": measured,
        "warmup": arguments.warmup,
        "stages_ms": {stage: percentiles(values) for stage, values in times.items()},
        "fps": round(1e3 * measured / sum(times["decode"] + times["total"]), 2),
        "peak_rss_mb": peak_rss_mb(),
    }


def table(report: Dict[str, Any]) -> Iterator[str]:
    """Give the lines that tell a person what `measure` returned."""
    yield "{model} {precision} at {rung} px, {objects} objects, {frames} frames of {video}".format(
        **report
    )
    yield "{:<16}{:>10}{:>10}{:>10}".format("stage, ms", "p50", "p95", "p99")
    for stage, found in report["stages_ms"].items():
        yield "{:<16}{p50:>10.2f}{p95:>10.2f}{p99:>10.2f}".format(stage, **found)
    yield "{fps:.1f} frames/s, decoding included; {peak_rss_mb:.0f} MB at the peak".format(**report)


def _timed(frames: Iterator[Any]) -> Iterator[Tuple[Any, float]]:
    """Give every frame with the milliseconds it took to get."""
    while True:
        started = time.perf_counter()
        frame = next(frames, None)
        if frame is None:
            return
        yield frame, 1e3 * (time.perf_counter() - started)


def _frames(video: Optional[str], stack: ExitStack) -> Iterator[Any]:
    """Give frames of a source, which the stack closes, or noise."""
    if video is None:
        return _noise()
    from sam2lite.runtimes.video_source import open_source

    source = stack.enter_context(open_source(video))
    # A camera goes on from where it is; a file starts again.
    return iter(source) if source.is_live else chain.from_iterable(repeat(source))


def _noise() -> Iterator[Any]:
    import cv2
    import numpy as np

    coarse = np.random.RandomState(0).randint(0, 256, (NOISE_HEIGHT // 16, NOISE_WIDTH // 16, 3))
    frame = cv2.resize(coarse.astype(np.uint8), (NOISE_WIDTH, NOISE_HEIGHT))
    while True:
        yield frame
        frame = np.roll(frame, SHIFT_PX, axis=1)
