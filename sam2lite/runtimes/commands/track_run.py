"""One run over a video, from its source to a folder of results, as `track` does it."""

import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Union

import numpy as np

from sam2lite.contracts.arguments import DEFAULT_PRESET
from sam2lite.errors import VideoError
from sam2lite.files.staging import staged_folder
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.commands.prompted import (
    Prompts,
    check_prompts,
    expected_frames,
    track_prompted,
)
from sam2lite.runtimes.commands.track_writer import TRACK, TrackWriter
from sam2lite.runtimes.geometry import HALVING, checked_resize
from sam2lite.runtimes.rules.interface import check_settings
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.source import open_source

# Told how many frames there will be, or None, it returns what to call after each.
Progress = Callable[[Optional[int]], Callable[[], None]]


def no_progress(total: Optional[int]) -> Callable[[], None]:
    """Show nothing."""
    return lambda: None


def track_video(
    bundle: Bundle,
    video: Union[str, Path],
    prompts: Prompts,
    output: Path,
    *,
    budget_ms: Optional[float] = None,
    preset: str = DEFAULT_PRESET,
    rung: Optional[int] = None,
    threads: Optional[int] = None,
    frames: Optional[int] = None,
    live: bool = False,
    overlay: bool = True,
    masks: bool = True,
    force: bool = False,
    settings: Optional[Mapping[str, Any]] = None,
    progress: Progress = no_progress,
) -> Dict[str, Any]:
    """Track a video; return the summary that the command prints.

    See `VideoSegmenter`, `TrackWriter`, `open_source` and `staged_folder` for the arguments, and
    for more that may be raised.

    Args:
        bundle: what tracks.
        video: a file, a folder of frames, a camera or a pipeline.
        prompts: by object by frame.
        output: folder for the results; it appears when all of it is written.
        budget_ms: what a frame may take, which the controller then holds.
        preset: of the controller.
        rung: input side, px; the largest if not given.
        threads: of the processor; the target's if not given.
        frames: to stop after; all if not given.
        live: play a file at its own rate.
        overlay: whether to write the video.
        masks: whether to write PNG files.
        force: replace the folder.
        settings: of the family's frame rules, by name, and `resize`.
        progress: shows how far the run is.

    Raises:
        PromptError: a prompt lies outside its frame, or beyond the end of the video.
        UnknownNameError: the family has no setting of a name, or there is no such resize.
        VideoError: the source failed. What a live one gave before is written nevertheless.
    """
    settings = dict(settings or {})
    resize = checked_resize(settings.pop("resize", HALVING))
    check_settings(bundle.family, settings)
    with open_source(video, live, kept=set(prompts)) as source:
        check_prompts(prompts, source, frames)
        feed = _Feed(source, frames)
        with ExitStack() as stack:
            folder = stack.enter_context(staged_folder(output, force, TRACK))
            segmenter = stack.enter_context(
                VideoSegmenter(bundle, budget_ms, preset, rung, threads, resize=resize, **settings)
            )
            writer = stack.enter_context(
                TrackWriter(str(folder), source, bundle, prompts, budget_ms, overlay, masks)
            )
            if source.is_live:
                segmenter.prepare()
                stack.enter_context(_interruptible(feed))
            advance = progress(expected_frames(source, frames))
            started = time.perf_counter()
            for index, frame in enumerate(feed):
                here = prompts.get(index, {})
                writer.write(frame, track_prompted(segmenter, frame, index, here))
                advance()
            seconds = time.perf_counter() - started
    if feed.failure is not None:
        raise VideoError(
            "{}; the {} frames before are in {}".format(feed.failure, writer.frame_count, output)
        ) from feed.failure
    return {
        "path": str(output),
        "frames": writer.frame_count,
        "fps": round(writer.frame_count / seconds, 2),
        "latency_ms": None
        if bundle.simulate is not None
        else round(writer.latency_ms / writer.frame_count, 3),
        "objects": {
            str(object_id): {
                "frames": count,
                "visible_share": round(writer.visible_by_object[object_id] / count, 4),
            }
            for object_id, count in sorted(writer.frames_by_object.items())
        },
        "dropped_frames": writer.dropped_frames,
        "trained": bundle.manifest.model.trained,
        "warnings": writer.warnings,
    }


def summary_lines(summary: Dict[str, Any]) -> Iterator[str]:
    """Give the lines that tell a person what `track_video` returned."""
    for object_id, found in summary["objects"].items():
        yield "object {}: visible on {:.1%} of {} frames".format(
            object_id, found["visible_share"], found["frames"]
        )
    dropped, latency_ms = summary["dropped_frames"], summary["latency_ms"]
    yield "{}: {} frames, {} objects, {:.1f} frames/s in all, {}{}".format(
        summary["path"],
        summary["frames"],
        len(summary["objects"]),
        summary["fps"],
        "simulated" if latency_ms is None else "{:.1f} ms each in the loop".format(latency_ms),
        ", {} dropped".format(dropped) if dropped else "",
    )


class _Feed:
    """The frames of a run, and what ended a live one early.

    Attributes:
        stop: set to end after the current frame.
        failure: why a live source ended, unless it was stopped.
    """

    def __init__(self, source: FrameSource, limit: Optional[int]) -> None:
        self.stop = threading.Event()
        self.failure: Optional[VideoError] = None
        self._source = source
        self._limit = limit

    def __iter__(self) -> Iterator[np.ndarray]:
        given = 0
        try:
            for frame in islice(self._source, self._limit):
                yield frame
                given += 1
                if self.stop.is_set():
                    return
        except VideoError as error:
            if not (self._source.is_live and given):
                raise
            if not self.stop.is_set():
                self.failure = error


@contextmanager
def _interruptible(feed: _Feed) -> Iterator[None]:
    """Let the first Ctrl-C end the feed in good order; a second one interrupts as usual."""

    def stop(number: int, frame: Any) -> None:
        feed.stop.set()
        signal.signal(signal.SIGINT, usual)

    usual = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
