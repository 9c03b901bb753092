"""What every rung of a bundle costs: to open, on its first frame, on the others, and in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.frame_loop import run_loop, track_frame
from sam2lite.bench.startup import AS_IT_IS, LoopSettings, start
from sam2lite.runtimes.measuring.percentiles import p50
from sam2lite.runtimes.measuring.resident_memory import rss_mb
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.segmenter import VideoSegmenter


@dataclass(frozen=True)
class RungCost:
    """One rung.

    Attributes:
        rung: input side, px.
        open_ms: opening its graphs; of the first rung, also the bundle and what all rungs share.
        first_frame_ms: the first frame, on which ONNX Runtime sets up what it needs; together
            with `open_ms` what a switch to a rung costs that was not used before.
        p50_ms: median of the frames after it, decoding aside.
        rss_mb: resident memory with this rung and all those above it open.
    """

    rung: int
    open_ms: float
    first_frame_ms: float
    p50_ms: float
    rss_mb: float


def measure_rungs(
    path: str,
    rungs: Sequence[int],
    feed: FrameFeed,
    prompts: Mapping[int, Prompt],
    frames: int,
    settings: LoopSettings = AS_IT_IS,
    on_frame: Callable[[], None] = lambda: None,
) -> list[RungCost]:
    """Open one rung after the other, the largest first, and track some frames with each.

    The memory says what it should only where nothing was opened in this process before.

    Args:
        path: of the bundle.
        rungs: which to measure, px.
        feed: where the frames come from.
        prompts: by object id; at least one.
        frames: how many to track with each rung, after its first one.
        settings: how to run it; the rung in it is replaced.
        on_frame: called after every tracked frame.

    Raises:
        BundleError: the bundle cannot be used.
        UnknownNameError: it does not hold one of the rungs.
        VideoError: a frame cannot be read, or there are no more.
    """
    ordered = sorted(rungs, reverse=True)
    frame, _ = feed.take()
    started = start(path, frame, prompts, replace(settings, rung=ordered[0]))
    open_ms, first_frame_ms = started.open_ms, started.first_mask_ms
    costs = []
    with started.segmenter as segmenter:
        for rung in ordered:
            if rung != segmenter.rung:
                open_ms, first_frame_ms = _switch(segmenter, rung, feed)
            run = run_loop(segmenter, feed, frames, on_frame=on_frame)
            p50_ms = p50([record.total_ms for record in run.records])
            costs.append(
                RungCost(rung, round(open_ms, 1), round(first_frame_ms, 1), p50_ms, rss_mb())
            )
    return costs


def _switch(segmenter: VideoSegmenter, rung: int, feed: FrameFeed) -> tuple[float, float]:
    """Change to a rung; return the milliseconds to open it and those of its first frame."""
    started = perf_counter()
    segmenter.set_rung(rung)
    open_ms = 1e3 * (perf_counter() - started)
    return open_ms, track_frame(segmenter, feed).total_ms
