from pathlib import Path

import pytest

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.object_costs import (
    ObjectCosts,
    block_frames,
    measure_objects,
    object_counts,
)
from sam2lite.bench.rung_costs import measure_rungs
from sam2lite.bench.startup import LoopSettings, start
from sam2lite.errors import UnknownNameError
from sam2lite.runtimes.prompts import Prompt


@pytest.mark.parametrize(
    ("most", "counts"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (9, [1, 2, 4, 8, 9])],
)
def test_object_counts(most: int, counts: list[int]) -> None:
    assert object_counts(most) == counts


@pytest.mark.parametrize(("frames", "tracked"), [(1, 10), (8, 10), (16, 20), (200, 250)])
def test_block_frames(frames: int, tracked: int) -> None:
    assert block_frames(frames) == tracked


def test_share_of_encoder() -> None:
    assert ObjectCosts([], 5.0, 0.5, 20.0).share_of_encoder == 0.25


def test_objects_take_turns_and_all_are_followed_afterwards(
    tiny_bundle: Path, feed: FrameFeed, prompts: dict[int, Prompt]
) -> None:
    frame, _ = feed.take()
    done: list[int] = []
    first = {1: prompts[1]}
    with start(str(tiny_bundle), frame, first, LoopSettings(rung=240)).segmenter as segmenter:

        def count() -> None:
            done.append(len(segmenter.object_ids))

        costs = measure_objects(segmenter, feed, prompts, frames=16, on_frame=count)
        assert segmenter.object_ids == [1, 2, 3]
    assert [row.objects for row in costs.rows] == [1, 2, 3]
    assert all(row.p50_ms > costs.image_encoder_p50_ms > 0.0 for row in costs.rows)
    assert done == 2 * (10 * [1] + 10 * [2] + 10 * [3])


def test_every_rung_is_opened_once_the_largest_first(
    tiny_bundle: Path, feed: FrameFeed, prompts: dict[int, Prompt]
) -> None:
    frames: list[int] = []
    costs = measure_rungs(
        str(tiny_bundle), (240, 336, 480), feed, prompts, 2, on_frame=lambda: frames.append(1)
    )
    assert [cost.rung for cost in costs] == [480, 336, 240]
    assert len(frames) == 6
    for cost in costs:
        assert min(cost.open_ms, cost.first_frame_ms, cost.p50_ms, cost.rss_mb) > 0.0


def test_a_rung_that_the_bundle_lacks(
    tiny_bundle: Path, feed: FrameFeed, prompts: dict[int, Prompt]
) -> None:
    with pytest.raises(UnknownNameError, match="288"):
        measure_rungs(str(tiny_bundle), (240, 288), feed, prompts, 1)
