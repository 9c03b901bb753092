"""Serving a video from beginning to end: what `sam2lite serve` and `device.pyz serve` do."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from sam2lite import __version__
from sam2lite.contracts.arguments import DEFAULT_PRESET, check_options
from sam2lite.contracts.loop import MAX_OBJECTS, PROMPT_SLOTS
from sam2lite.errors import VideoError
from sam2lite.files.names import public_name
from sam2lite.files.staging import staged_folder
from sam2lite.runtimes.arenas import share_arenas
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.commands.interrupts import ending_in_order, signal_name
from sam2lite.runtimes.commands.run_tally import thread_warnings
from sam2lite.runtimes.controller.age_budget import budget_for_age
from sam2lite.runtimes.geometry import HALVING, checked_resize
from sam2lite.runtimes.rules.interface import check_settings
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.serve.address import find_address
from sam2lite.runtimes.serve.loop import ServedLoop
from sam2lite.runtimes.serve.result_lines import SERVED, ResultLines
from sam2lite.runtimes.serve.server import PageServer
from sam2lite.runtimes.stream.warm_up import warm_up
from sam2lite.runtimes.video.frame_source import FrameSource
from sam2lite.runtimes.video.live import play
from sam2lite.runtimes.video.source import open_source

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080


def serve_video(
    bundle: Bundle,
    video: str,
    tell: Callable[[str], None],
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    live: bool = False,
    output: Optional[Path] = None,
    force: bool = False,
    budget_ms: Optional[float] = None,
    max_age_ms: Optional[float] = None,
    preset: str = DEFAULT_PRESET,
    rung: Optional[int] = None,
    threads: Optional[int] = None,
    settings: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    """Serve a page until a signal ends it: the results are closed then, and everything is let go.

    A recording waits on its first frame until somebody has it played; a camera does not.

    Args:
        bundle: what tracks.
        video: as `open_source` takes it.
        tell: is given the page's URL when it can be opened, with the token if one is needed.
        host: an address of this machine; from others than its own, requests need the token.
        port: 0 for one that is free.
        live: play a file at its own rate.
        output: a folder for `results.jsonl`; a temporary file if not given.
        force: replace the folder.
        budget_ms: what a frame may take, if the controller is to hold that.
        max_age_ms: how long from capture to mask; instead of a budget.
        preset: of the controller.
        rung: input width, px; the largest if not given.
        threads: of the backend; the target's if not given.
        settings: of the family's frame rules, by name, and `resize`.

    Returns:
        How it went; see `summary_lines`.

    Raises:
        ServeError: the address cannot be listened on.
        VideoError: the source cannot be read, or failed. What it gave before is written.
        Sam2LiteError: what `VideoSegmenter` and `staged_folder` raise.
    """
    settings = dict(settings or {})
    resize = checked_resize(settings.pop("resize", HALVING))
    check_settings(bundle.family, settings)
    check_options(budget_ms, preset, rung, threads)
    share_arenas()
    with ExitStack() as stack:
        server = PageServer(find_address(host, port))
        stack.callback(server.end)
        source, waits = _open(video, live)
        stack.enter_context(source)
        if max_age_ms is not None:
            budget_ms = budget_for_age(max_age_ms, 1000.0 / source.fps if source.is_live else 0.0)
        folder = stack.enter_context(staged_folder(output, force, SERVED)) if output else None
        segmenter = stack.enter_context(
            VideoSegmenter(bundle, budget_ms, preset, rung, threads, resize=resize, **settings)
        )
        warm_up(segmenter, source.first_bgr)
        facts = _facts(bundle, source, budget_ms)
        lines = stack.enter_context(ResultLines(facts, folder))
        loop = ServedLoop(segmenter, source, lines, waits, bundle.simulate is not None)
        server.begin(loop, lines, facts)
        stack.callback(server.end)
        tell(server.url)
        failure: Optional[VideoError] = None
        try:
            with ending_in_order(loop.end):
                loop.run()
        except VideoError as error:
            failure = error
        state = loop.state()
        if failure is not None and not (source.is_live and state["frames"]):
            raise failure
        warnings = [*thread_warnings(threads), *([source.warning] if source.warning else [])]
    if failure is not None:
        kept = "the {} frames before are in {}".format(state["frames"], output)
        raise VideoError("{}; {}".format(failure, kept) if output else str(failure)) from failure
    path = None if output is None else str(output)
    return dict(state, path=path, ended_by=signal_name(), warnings=warnings)


def summary_lines(summary: Dict[str, Any]) -> Iterator[str]:
    """Give the lines that tell a person what `serve_video` returned."""
    frames = "{} frames, {} dropped".format(summary["frames"], summary["dropped"])
    if summary["path"] is None:
        yield "{}; the results are gone, since there was no -o".format(frames)
    else:
        yield "{}: {}".format(summary["path"], frames)


def _open(video: str, live: bool) -> Tuple[FrameSource, bool]:
    """Return the source, and whether it can wait: a recording can."""
    source = open_source(video)
    waits = not source.is_live
    return (play(source, frozenset()) if live and waits else source), waits


def _facts(bundle: Bundle, source: FrameSource, budget_ms: Optional[float]) -> Dict[str, Any]:
    manifest = bundle.manifest
    return {
        "sam2lite_version": __version__,
        "video": public_name(source.name),
        "width": source.width,
        "height": source.height,
        "pixel_aspect": source.pixel_aspect,
        "source_fps": source.fps,
        "live": source.is_live,
        "model": manifest.model.name,
        "precision": manifest.precision,
        "trained": manifest.model.trained,
        "simulated": bundle.simulate is not None,
        "bundle_sha256": bundle.sha256,
        "rungs": list(manifest.rungs),
        "budget_ms": budget_ms,
        "most_objects": MAX_OBJECTS,
        "most_points": PROMPT_SLOTS,
    }
