from pathlib import Path

import pytest

from sam2lite.bench.frame_feed import FrameFeed
from sam2lite.bench.frame_loop import run_loop
from sam2lite.bench.load import CpuLoad
from sam2lite.bench.startup import LoopSettings, start
from sam2lite.errors import PromptError, UnknownNameError
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.presence import always_present
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.segmenter import VideoSegmenter

SMALLEST = LoopSettings(rung=240)


class LoggedLoad(CpuLoad):
    """A load without processes that notes when it was switched."""

    def __init__(self) -> None:
        super().__init__(processes=0)
        self.frames_done = 0
        self.switches: list[tuple[str, int]] = []

    def start(self) -> None:
        self.switches.append(("start", self.frames_done))

    def stop(self) -> None:
        self.switches.append(("stop", self.frames_done))

    def count(self) -> None:
        self.frames_done += 1


class Surroundings:
    """Notes how many frames were done when it was entered and left."""

    def __init__(self) -> None:
        self.frames_done = 0
        self.seen: list[int] = []

    def __enter__(self) -> None:
        self.seen.append(self.frames_done)

    def __exit__(self, *error: object) -> None:
        self.seen.append(self.frames_done)

    def count(self) -> None:
        self.frames_done += 1


def test_what_is_around_leaves_the_warm_up_out(
    tiny_bundle: Path, feed: FrameFeed, prompts: dict[int, Prompt]
) -> None:
    frame, _ = feed.take()
    around = Surroundings()
    with start(str(tiny_bundle), frame, prompts, SMALLEST).segmenter as segmenter:
        run_loop(segmenter, feed, frames=3, warmup=2, on_frame=around.count, around=around)
    assert around.seen == [2, 5]


def test_every_frame_is_recorded(
    tiny_bundle: Path, feed: FrameFeed, prompts: dict[int, Prompt]
) -> None:
    frame, _ = feed.take()
    started = start(str(tiny_bundle), frame, prompts, SMALLEST)
    with started.segmenter as segmenter:
        assert segmenter.object_ids == [1, 2, 3]
        run = run_loop(segmenter, feed, frames=4, warmup=2)
    assert len(run.records) == 6
    assert run.measured == run.records[2:]
    assert run.load_frames is None
    assert run.fps > 0.0
    assert started.startup_ms == started.open_ms + started.first_mask_ms
    for record in run.records:
        graphs = ["image_encoder", "mask_decoder", "memory_encoder", "memory_select"]
        stages = ["decode", "preprocess", *graphs, "postprocess", "total"]
        assert list(record.stage_ms) == stages
        assert all(value > 0.0 for value in record.stage_ms.values())
        assert 0.0 < record.outside_graphs_ms < record.total_ms
        assert (record.rung, record.lost, record.controller) == (240, False, None)


def test_load_comes_at_a_third_and_goes_at_two(
    tiny_bundle: Path, feed: FrameFeed, prompts: dict[int, Prompt]
) -> None:
    frame, _ = feed.take()
    load = LoggedLoad()
    with start(str(tiny_bundle), frame, prompts, SMALLEST).segmenter as segmenter:
        run = run_loop(segmenter, feed, frames=6, warmup=2, load=load, on_frame=load.count)
    assert run.load_frames == (4, 6)
    assert load.switches == [("start", 4), ("stop", 6)]


def test_with_a_budget_every_record_has_the_controllers_state(
    tiny_bundle: Path, feed: FrameFeed, prompts: dict[int, Prompt]
) -> None:
    frame, _ = feed.take()
    settings = LoopSettings(budget_ms=1000.0, rung=240)
    with start(str(tiny_bundle), frame, prompts, settings).segmenter as segmenter:
        run = run_loop(segmenter, feed, frames=3)
    assert all(record.controller is not None for record in run.records)


def test_objects_are_always_present(tiny_bundle: Path, feed: FrameFeed) -> None:
    frame, _ = feed.take()
    with VideoSegmenter(always_present(open_bundle(str(tiny_bundle))), rung=240) as segmenter:
        segmenter.prompt(frame, points=[(80, 60)])
        found = segmenter.track(feed.take()[0]).objects[1]
    with VideoSegmenter(str(tiny_bundle), rung=240) as segmenter:
        segmenter.prompt(frame, points=[(80, 60)])
        judged = segmenter.track(feed.take()[0]).objects[1]
    assert found.visible
    assert found.object_score == 1.0 != judged.object_score


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (LoopSettings(rung=241), UnknownNameError),
        (LoopSettings(budget_ms=9, preset="x"), UnknownNameError),
    ],
)
def test_unknown_names(
    tiny_bundle: Path,
    feed: FrameFeed,
    prompts: dict[int, Prompt],
    settings: LoopSettings,
    error: type[Exception],
) -> None:
    with pytest.raises(error):
        start(str(tiny_bundle), feed.take()[0], prompts, settings)


def test_click_outside_the_frame(tiny_bundle: Path, feed: FrameFeed) -> None:
    outside = {1: Prompt([(80, 60)]), 2: Prompt([(162, 60)])}
    with pytest.raises(PromptError, match="outside"):
        start(str(tiny_bundle), feed.take()[0], outside, SMALLEST)
