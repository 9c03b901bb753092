"""One run over a video, from its source to a folder of results, as `track` does it."""

import json
import threading
import time
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple, Union

from sam2lite.contracts.arguments import DEFAULT_PRESET
from sam2lite.errors import VideoError
from sam2lite.files.staging import staged_folder
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.commands.frame_record import frame_record
from sam2lite.runtimes.commands.interrupts import ending_in_order, signal_name
from sam2lite.runtimes.commands.prompted import (
    Prompts,
    check_prompts,
    expected_frames,
    run_warnings,
    track_prompted,
)
from sam2lite.runtimes.commands.record_stream import RecordStream, open_stream
from sam2lite.runtimes.commands.run_tally import RunTally, thread_warnings
from sam2lite.runtimes.commands.track_writer import TRACK, TrackWriter
from sam2lite.runtimes.controller.age_budget import budget_for_age
from sam2lite.runtimes.geometry import HALVING, checked_resize
from sam2lite.runtimes.masks.options import Cleaning, checked_cleaning
from sam2lite.runtimes.rules.interface import check_settings
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.stream.warm_up import warm_up
from sam2lite.runtimes.video.captured import CapturedFrame
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
    max_age_ms: Optional[float] = None,
    preset: str = DEFAULT_PRESET,
    rung: Optional[int] = None,
    threads: Optional[int] = None,
    provider: Optional[str] = None,
    frames: Optional[int] = None,
    live: bool = False,
    stream: Optional[str] = None,
    overlay: bool = True,
    masks: bool = True,
    force: bool = False,
    settings: Optional[Mapping[str, Any]] = None,
    cleaning: Optional[Cleaning] = None,
    progress: Progress = no_progress,
) -> Dict[str, Any]:
    """Track a video; return the summary that the command prints.

    SIGINT, SIGTERM and SIGHUP end the run after the current frame, and what was tracked is written;
    `ended_by` in the summary names the signal. A second one throws the results away.

    See `VideoSegmenter`, `TrackWriter`, `open_source`, `open_stream` and `staged_folder` for the
    arguments, and for more that may be raised.

    Args:
        bundle: what tracks.
        video: a file, a folder of frames, a camera, a URL or a pipeline.
        prompts: by object by frame of the source. They land on their frames: one of a recording
            that is played live is not dropped.
        output: folder for the results; it appears when all of it is written.
        budget_ms: what a frame may take, which the controller then holds.
        max_age_ms: how long from capture to mask, which the controller then holds; instead of a
            budget.
        preset: of the controller.
        rung: input side, px; the largest if not given.
        threads: of the processor; the target's if not given.
        provider: ONNX Runtime's execution provider; the CPU's if not given.
        frames: to stop after; all if not given.
        live: play a file at its own rate.
        stream: where a line of JSON a frame goes at once; see `record_stream`.
        overlay: whether to write the video.
        masks: whether to write PNG files.
        force: replace the folder, and the file of the stream.
        settings: of the family's frame rules, by name, and `resize`.
        cleaning: what is done to masks before they are shown and written.
        progress: shows how far the run is.

    Raises:
        PromptError: a prompt lies outside its frame, or beyond the end of the video.
        UnknownNameError: the family has no setting of a name, or there is no such resize.
        VideoError: the source failed. What a live one gave before is written nevertheless.
        KeyboardInterrupt: a signal came before the first frame was tracked.
    """
    settings = dict(settings or {})
    resize = checked_resize(settings.pop("resize", HALVING))
    check_settings(bundle.family, settings)
    cleaning = checked_cleaning(cleaning)
    with open_source(video, live, kept=set(prompts)) as source:
        check_prompts(prompts, source, frames)
        if max_age_ms is not None:
            budget_ms = budget_for_age(max_age_ms, 1000.0 / source.fps if source.is_live else 0.0)
        feed = _Feed(source, frames)
        tally = RunTally(budget_ms, simulated=bundle.simulate is not None)
        with ExitStack() as stack:
            folder = stack.enter_context(staged_folder(output, force, TRACK))
            segmenter = stack.enter_context(
                VideoSegmenter(
                    bundle, budget_ms, preset, rung, threads, provider, resize, cleaning, **settings
                )
            )
            writer = stack.enter_context(
                TrackWriter(str(folder), source, bundle, prompts, budget_ms, overlay, masks)
            )
            lines = stack.enter_context(
                RecordStream() if stream is None else open_stream(stream, force)
            )
            stack.enter_context(ending_in_order(feed.end))
            if source.is_live:
                warm_up(segmenter, source.first_bgr)
            advance = progress(expected_frames(source, frames))
            started = time.perf_counter()
            for captured, dropped in feed:
                index = tally.frames
                here = prompts.get(captured.source_index, {})
                result = track_prompted(segmenter, captured.image_bgr, index, here)
                latency_ms = captured.age_ms
                record = frame_record(
                    captured, result, latency_ms, dropped, bundle.simulate is not None
                )
                text = json.dumps(record, separators=(",", ":"), allow_nan=False)
                lines.put(text)
                tally.add(result, latency_ms, dropped)
                writer.write(captured, result, text)
                advance()
            seconds = time.perf_counter() - started
            if not tally.frames and feed.ended:
                raise KeyboardInterrupt
            ended_by = signal_name() if feed.ended else None
            warnings = thread_warnings(threads) + run_warnings(source, prompts, feed.last_index)
            warnings += lines.warnings() + tally.warnings()
            writer.finish(dropped_frames=tally.dropped, ended_by=ended_by, warnings=warnings)
    if feed.failure is not None:
        raise VideoError(
            "{}; the {} frames before are in {}".format(feed.failure, tally.frames, output)
        ) from feed.failure
    return dict(
        tally.summary(seconds),
        path=str(output),
        live=source.is_live,
        ended_by=ended_by,
        trained=bundle.manifest.model.trained,
        weights=bundle.manifest.model.weights,
        warnings=warnings,
    )


class _Feed:
    """The frames of a run, and what ended a live one early.

    Attributes:
        failure: why a live source ended, unless it was stopped.
        last_index: of the last frame in its source; -1 before the first.
    """

    def __init__(self, source: FrameSource, limit: Optional[int]) -> None:
        self.failure: Optional[VideoError] = None
        self.last_index = -1
        self._ended = threading.Event()
        self._source = source
        self._limit = limit

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def end(self) -> None:
        """End after the current frame."""
        self._ended.set()
        self._source.end()

    def __iter__(self) -> Iterator[Tuple[CapturedFrame, int]]:
        """Give frames, and how many were dropped before each."""
        dropped_before = 0
        try:
            for captured in islice(self._source.captured(), self._limit):
                self.last_index = captured.source_index
                dropped = self._source.dropped_frames
                yield captured, dropped - dropped_before
                dropped_before = dropped
                if self.ended:
                    return
        except VideoError as error:
            if not (self._source.is_live and self.last_index >= 0):
                raise
            if not self.ended:
                self.failure = error
