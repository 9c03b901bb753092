"""What every further object costs, in time and in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.frame_loop import FrameRecord, track_frame
from sam2lite.bench.startup import prompt_all
from sam2lite.runtimes.measuring.percentiles import p50
from sam2lite.runtimes.measuring.resident_memory import rss_mb
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.segmenter import VideoSegmenter

_BLOCK = 10  # frames with one number of objects, before the next number has its turn
_SETTLE = 2  # of them, for caches to fill


@dataclass(frozen=True)
class ObjectCost:
    """Frames with a number of objects: their median time and the memory then resident."""

    objects: int
    p50_ms: float
    rss_mb: float


@dataclass(frozen=True)
class ObjectCosts:
    """What further objects cost.

    Attributes:
        rows: for 1, 2, 4, ... objects, and for as many as there were prompts.
        ms_per_object: slope of the least-squares line through the medians.
        mb_per_object: growth of the resident memory from the first row to the last, per object.
        image_encoder_p50_ms: median time of the image encoder, which runs once a frame.
    """

    rows: list[ObjectCost]
    ms_per_object: float
    mb_per_object: float
    image_encoder_p50_ms: float

    @property
    def share_of_encoder(self) -> float:
        """Time of a further object over that of the image encoder."""
        return round(self.ms_per_object / self.image_encoder_p50_ms, 3)


def object_counts(most: int) -> list[int]:
    """Return the numbers of objects to measure: powers of two below `most`, and `most`."""
    return [2**power for power in range(most.bit_length()) if 2**power < most] + [most]


def block_frames(frames: int) -> int:
    """Return how many frames are tracked for each number of objects if `frames` are to count."""
    return max(1, frames // (_BLOCK - _SETTLE)) * _BLOCK


def measure_objects(
    segmenter: VideoSegmenter,
    feed: FrameFeed,
    prompts: Mapping[int, Prompt],
    frames: int,
    on_frame: Callable[[], None] = lambda: None,
) -> ObjectCosts:
    """Track with 1, 2, 4, ... objects, taking turns so that a noisy machine disturbs all alike.

    The segmenter follows all objects afterwards. It must be fresh, or memory that it had taken
    before is not seen to grow.

    Args:
        segmenter: without a frame budget.
        feed: where the frames come from.
        prompts: by object id; at least two.
        frames: how many to measure with each number of objects, roughly.
        on_frame: called after every tracked frame.

    Raises:
        VideoError: a frame cannot be read, or there are no more.
    """
    counts = object_counts(len(prompts))
    records: dict[int, list[FrameRecord]] = {count: [] for count in counts}
    grown_mb: dict[int, float] = {}
    for _ in range(block_frames(frames) // _BLOCK):
        for count in counts:
            segmenter.reset()
            frame, _ = feed.take()
            prompt_all(segmenter, frame, dict(list(prompts.items())[:count]))
            for index in range(_BLOCK):
                record = track_frame(segmenter, feed)
                on_frame()
                if index >= _SETTLE:
                    records[count].append(record)
            grown_mb.setdefault(count, rss_mb())
    rows = [
        ObjectCost(count, p50([r.total_ms for r in records[count]]), grown_mb[count])
        for count in counts
    ]
    encoder = segmenter.bundle.family.image_encoder.name
    encoder_ms = [r.stage_ms[encoder] for found in records.values() for r in found]
    return ObjectCosts(
        rows,
        ms_per_object=round(float(np.polyfit(counts, [row.p50_ms for row in rows], 1)[0]), 3),
        mb_per_object=round((rows[-1].rss_mb - rows[0].rss_mb) / (counts[-1] - 1), 2),
        image_encoder_p50_ms=p50(encoder_ms),
    )
