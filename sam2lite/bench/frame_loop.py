"""The loop that is measured: take a frame, track it, write down where the time went."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.load import CpuLoad
from sam2lite.runtimes.controller import ControllerState
from sam2lite.runtimes.measuring.stage_clock import POSTPROCESS, PREPROCESS, TOTAL
from sam2lite.runtimes.segmenter import VideoSegmenter

DECODE = "decode"
_NOT_GRAPHS = (DECODE, PREPROCESS, POSTPROCESS, TOTAL)


@dataclass(frozen=True)
class FrameRecord:
    """One tracked frame.

    Attributes:
        rung: it was encoded at, px.
        stage_ms: milliseconds of `decode` and of the stages of `FrameResult`, in order. `total` is
            all of `VideoSegmenter.track`, the controller included and decoding not.
        lost: whether the network gave a number that is not finite.
        controller: its state afterwards; None without a budget.
        age_ms: from its capture until its masks were there; None unless its source is live.
    """

    rung: int
    stage_ms: dict[str, float]
    lost: bool
    controller: ControllerState | None
    age_ms: float | None = None

    @property
    def total_ms(self) -> float:
        """What the frame took, decoding aside."""
        return self.stage_ms[TOTAL]

    @property
    def outside_graphs_ms(self) -> float:
        """What the frame took beside its graphs, decoding aside."""
        return self.total_ms - sum(
            spent_ms for stage, spent_ms in self.stage_ms.items() if stage not in _NOT_GRAPHS
        )


@dataclass(frozen=True)
class LoopRun:
    """What the loop did.

    Attributes:
        records: of all tracked frames, the warm-up first.
        warmup: how many of them do not count.
        load_frames: first frame under the competing load and first one after it; None without.
    """

    records: list[FrameRecord]
    warmup: int
    load_frames: tuple[int, int] | None

    @property
    def measured(self) -> list[FrameRecord]:
        """The records that count."""
        return self.records[self.warmup :]

    @property
    def fps(self) -> float:
        """Frames a second, decoding included, over the frames that count."""
        spent_ms = sum(r.stage_ms[DECODE] + r.total_ms for r in self.measured)
        return 1e3 * len(self.measured) / spent_ms


def run_loop(
    segmenter: VideoSegmenter,
    feed: FrameFeed,
    frames: int,
    warmup: int = 0,
    load: CpuLoad | None = None,
    on_frame: Callable[[], None] = lambda: None,
    around: AbstractContextManager[object] | None = None,
) -> LoopRun:
    """Track frames and time them.

    Args:
        segmenter: with its objects prompted.
        feed: where the frames come from.
        frames: how many to measure, at least 1.
        warmup: how many to track before.
        load: started at a third of the measured frames and stopped at two thirds, if given.
        on_frame: called after every frame, outside the time that is measured.
        around: entered when the first frame that counts is about to be taken, left after the last.

    Raises:
        VideoError: a frame cannot be read, or there are no more.
    """
    load_frames = (warmup + frames // 3, warmup + 2 * frames // 3) if load else None
    records = []
    with ExitStack() as stack:
        for index in range(warmup + frames):
            if load and load_frames and index in load_frames:
                load.start() if index == load_frames[0] else load.stop()
            if around is not None and index == warmup:
                stack.enter_context(around)
            records.append(track_frame(segmenter, feed))
            on_frame()
    return LoopRun(records, warmup, load_frames)


def track_frame(segmenter: VideoSegmenter, feed: FrameFeed) -> FrameRecord:
    """Take one frame, track it and time it.

    Raises:
        VideoError: the frame cannot be read, or there are no more.
    """
    frame, decode_ms = feed.take()
    started = time.perf_counter()
    result = segmenter.track(frame)
    total_ms = 1e3 * (time.perf_counter() - started)
    age_ms = feed.age_ms()
    stage_ms = {DECODE: decode_ms, **result.stage_ms, TOTAL: total_ms}
    return FrameRecord(result.rung, stage_ms, result.lost, result.controller, age_ms)
