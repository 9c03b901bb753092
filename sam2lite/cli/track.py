"""`sam2lite track`: follow objects through a video, and write what was found."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import numpy as np
import typer

from sam2lite.cli import prompted_video
from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import bundle_or_default
from sam2lite.cli.progress import progress_bar
from sam2lite.cli.prompted_video import (
    Prompts,
    check_prompts,
    expected_frames,
    read_prompts,
    track_prompted,
    warn,
)
from sam2lite.errors import ArgumentError, VideoError
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.track_writer import TrackWriter
from sam2lite.runtimes.video_source import FrameSource, open_source
from sam2lite.staging import staged_folder

DEFAULT_PRESET = "default"


def track(
    video: Annotated[
        str,
        typer.Option(
            metavar="FILE|FOLDER|CAMERA",
            help="A video, a folder of frames, a camera (0, camera, /dev/video0) or a GStreamer "
            "pipeline.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")
    ],
    point: prompted_video.Points = None,
    box: prompted_video.Boxes = None,
    mask: prompted_video.Masks = None,
    prompts_file: prompted_video.PromptsFile = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What to track with.", show_default="Tiny, made once"),
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="Must be the bundle's.", show_default="the bundle's")
    ] = None,
    budget_ms: Annotated[
        float | None,
        typer.Option(help="Milliseconds a frame may take; the rung then follows.", metavar="MS"),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Of the controller: default or paper.", show_default=DEFAULT_PRESET),
    ] = None,
    rung: prompted_video.Rung = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads.", show_default="the target's")
    ] = None,
    frames: prompted_video.Frames = None,
    live: Annotated[
        bool, typer.Option("--live", help="Play a file at its own rate, dropping late frames.")
    ] = False,
    no_overlay: Annotated[bool, typer.Option("--no-overlay", help="Write no video.")] = False,
    no_masks: Annotated[bool, typer.Option("--no-masks", help="Write no PNG files.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON on standard output.")
    ] = False,
) -> None:
    """Follow objects through a video or a camera's frames.

    Writes overlay.mp4, masks/OBJECT/FRAME.png (0 or 255) and results.json (a COCO RLE of every
    object on every frame, with times and scores). The folder appears when all of it is written.

    Ctrl-C is how a live run ends; a camera that fails ends it too, with exit code 1. Either way
    what was tracked is kept. Of a file, nothing is kept unless it was tracked to the end.
    """
    if preset is not None and budget_ms is None:
        raise ArgumentError("--preset is of the controller; give it a budget with --budget-ms")
    prompts = read_prompts(point, box, mask, prompts_file)
    opened = bundle_or_default(bundle)
    if backend not in (None, opened.manifest.backend):
        raise ArgumentError(
            f"--backend is {backend!r}, but {opened.path} was made for "
            f"{opened.manifest.backend!r}; leave the option out"
        )
    share_threads(opened, threads)
    if not opened.manifest.model.trained:
        warn(f"the weights of {opened.manifest.model.name!r} are untrained; its masks mean nothing")
    summary = track_video(
        opened,
        video,
        prompts,
        output,
        budget_ms=budget_ms,
        preset=preset or DEFAULT_PRESET,
        rung=rung,
        threads=threads,
        frames=frames,
        live=live,
        overlay=not no_overlay,
        masks=not no_masks,
        force=force,
    )
    for message in summary["warnings"]:
        warn(message)
    if as_json:
        typer.echo(json.dumps(summary, indent=1))
    else:
        _print_summary(summary)


def track_video(
    bundle: Bundle,
    video: str | Path,
    prompts: Prompts,
    output: Path,
    *,
    budget_ms: float | None = None,
    preset: str = DEFAULT_PRESET,
    rung: int | None = None,
    threads: int | None = None,
    frames: int | None = None,
    live: bool = False,
    overlay: bool = True,
    masks: bool = True,
    force: bool = False,
) -> dict[str, Any]:
    """Track a video behind a progress bar; return the summary that the command prints.

    See `track` for the arguments, `VideoSegmenter`, `open_source` and `staged_folder` for more that
    may be raised.

    Raises:
        PromptError: a prompt lies outside its frame, or beyond the end of the video.
        VideoError: the source failed. What a live one gave before is written nevertheless.
    """
    with open_source(video, live=live) as source:
        check_prompts(prompts, source, frames)
        feed = _Feed(source, frames)
        with (
            staged_folder(output, force) as folder,
            VideoSegmenter(bundle, budget_ms, preset, rung, threads) as segmenter,
            TrackWriter(str(folder), source, bundle, prompts, budget_ms, overlay, masks) as writer,
            _interruptible(feed) if source.is_live else nullcontext(),
            progress_bar() as bar,
        ):
            task = bar.add_task("tracking", total=expected_frames(source, frames))
            started = time.perf_counter()
            for index, frame in enumerate(feed):
                writer.write(frame, track_prompted(segmenter, frame, prompts.get(index, {})))
                bar.advance(task)
            seconds = time.perf_counter() - started
    if feed.failure is not None:
        raise VideoError(
            f"{feed.failure}; the {writer.frame_count} frames before are in {output}"
        ) from feed.failure
    return {
        "path": str(output),
        "frames": writer.frame_count,
        "fps": round(writer.frame_count / seconds, 2),
        "latency_ms": round(writer.latency_ms / writer.frame_count, 3),
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


class _Feed:
    """The frames of a run, and what ended a live one early.

    Attributes:
        stop: set to end after the current frame.
        failure: why a live source ended, unless it was stopped.
    """

    def __init__(self, source: FrameSource, limit: int | None) -> None:
        self.stop = threading.Event()
        self.failure: VideoError | None = None
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

    def stop(number: int, frame: FrameType | None) -> None:
        feed.stop.set()
        signal.signal(signal.SIGINT, usual)

    usual = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _print_summary(summary: dict[str, Any]) -> None:
    for object_id, found in summary["objects"].items():
        typer.echo(
            f"object {object_id}: visible on {found['visible_share']:.1%} of "
            f"{found['frames']} frames"
        )
    dropped = summary["dropped_frames"]
    typer.echo(
        f"{summary['path']}: {summary['frames']} frames, {len(summary['objects'])} objects, "
        f"{summary['fps']:.1f} frames/s in all, {summary['latency_ms']:.1f} ms each in the loop"
        + (f", {dropped} dropped" if dropped else "")
    )
