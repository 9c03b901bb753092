"""Measure the bundle on this board: milliseconds by stage, frames a second, memory, power."""

import argparse
import json
import sys
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any, Dict, Iterator, List

from sam2lite.device.clip_frames import NOISE_HEIGHT, NOISE_WIDTH, open_footage, timed
from sam2lite.device.opening import add_common, open_checked, positive, require_numpy, warn
from sam2lite.device.sensors import sampled
from sam2lite.device.sensors.find import find_sensors
from sam2lite.device.sensors.sampler import Sampler
from sam2lite.errors import OutputError, VideoError
from sam2lite.files.atomic import check_file, write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--video",
        metavar="FILE|CAMERA",
        help="what to track, a file again from its start if too short, or a camera such as 0 or "
        "csi:0; moving noise of {}x{} px if not given".format(NOISE_WIDTH, NOISE_HEIGHT),
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
    if arguments.json:
        check_file(arguments.json, True)
    report = measure(arguments)
    sys.stdout.write("\n".join(table(report)) + "\n")
    for warning in report["warnings"]:
        warn(warning)
    if arguments.json:
        try:
            write_atomically(arguments.json, (json.dumps(report, indent=1) + "\n").encode("utf-8"))
        except OSError as error:
            raise OutputError(
                "cannot write '{}': {}; choose a place that you may write to".format(
                    arguments.json, error.strerror
                )
            )
    return 0


def measure(arguments: argparse.Namespace) -> Dict[str, Any]:
    """Track frames; return times by stage as percentiles, frames a second, memory and power.

    The sensors are read while the frames that count are tracked: see `sampled.describe`. Objects
    count as present on every frame, so that every frame does all of the work.

    Raises:
        Sam2LiteError: see `run`.
    """
    require_numpy()
    from sam2lite.runtimes.commands.prompt_flags import parse_prompts
    from sam2lite.runtimes.measuring.percentiles import percentiles
    from sam2lite.runtimes.measuring.resident_memory import peak_rss_mb
    from sam2lite.runtimes.presence import always_present
    from sam2lite.runtimes.prompts import Prompt
    from sam2lite.runtimes.segmenter import VideoSegmenter

    prompts = parse_prompts(arguments.point or [], [], [], None).get(0)
    bundle = open_checked(arguments)
    times: Dict[str, List[float]] = {}
    ages_ms: List[float] = []
    with ExitStack() as stack:
        footage = open_footage(arguments.video, stack)
        first = next(footage.frames).image_bgr
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
        segmenter.prepare()
        for object_id, prompt in prompts.items():
            segmenter.give(first, object_id, prompt)
        for frame in islice(footage.frames, arguments.warmup):
            segmenter.track(frame.image_bgr)
        dropped_before = footage.dropped_frames()
        with Sampler(find_sensors()) as sampler:
            for frame, decode_ms in islice(timed(footage.frames), arguments.frames):
                result = segmenter.track(frame.image_bgr)
                if footage.is_live:
                    ages_ms.append(frame.age_ms)
                for stage, spent_ms in chain([("decode", decode_ms)], result.stage_ms.items()):
                    times.setdefault(stage, []).append(spent_ms)
        rung = segmenter.rung
        dropped_frames = footage.dropped_frames() - dropped_before
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
        "age_ms": percentiles(ages_ms) if ages_ms else None,
        "dropped_frames": dropped_frames,
        "peak_rss_mb": peak_rss_mb(),
        **sampled.describe(sampler.sensors, sampler.readings, measured),
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
    if report["age_ms"] is not None:
        yield "{p50:.1f} ms from capture to mask, {p95:.1f} at p95".format(**report["age_ms"])
    if report["dropped_frames"]:
        yield "{dropped_frames} frames of the source came too fast and were dropped".format(
            **report
        )
    yield from sampled.lines(report)
