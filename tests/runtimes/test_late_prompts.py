"""Prompts for a frame that was tracked already: what somebody who watches a stream clicks on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sam2lite.contracts.families.sam2lite import TOKENS_PER_FRAME
from sam2lite.errors import ArgumentError, PromptError
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.stream.recent import LATE_FRAMES
from sam2lite.runtimes.stream.warm_up import warm_up
from tests.doubles.sam2_bundle import Sam2Bundle

WIDTH, HEIGHT = 120, 90
CLICK = [(60, 45)]
OTHER = [(100, 20)]
Make = Callable[[], VideoSegmenter]


def frame(index: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, 2 * WIDTH, 3), np.uint8)
    return np.ascontiguousarray(noise[:, index : index + WIDTH])


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return open_bundle(str(tiny_bundle))


@pytest.fixture(params=["a bank of tokens", "a bank of slots"])
def make(request: pytest.FixtureRequest, tiny: Bundle) -> Iterator[Make]:
    made: list[VideoSegmenter] = []
    bundle = tiny if request.param == "a bank of tokens" else Sam2Bundle()

    def make_one() -> VideoSegmenter:
        made.append(VideoSegmenter(bundle, rung=bundle.manifest.rungs[0]))
        return made[-1]

    yield make_one
    for each in made:
        each.close()


def follow(segmenter: VideoSegmenter, first: int, last: int) -> list[np.ndarray]:
    """Track frames; return the first object's logits."""
    return [
        segmenter.track(frame(index), index).objects[1].logits for index in range(first, last + 1)
    ]


def test_a_late_prompt_gives_what_it_would_have_given_in_time(make: Make) -> None:
    late, timely = make(), make()
    late.prompt(frame(0), 1, points=OTHER, frame_index=0)
    follow(late, 0, 5)
    found = late.prompt(frame(2), 2, points=CLICK, frame_index=2)
    expected = timely.prompt(frame(2), 2, points=CLICK, frame_index=2)
    np.testing.assert_array_equal(found.logits, expected.logits)
    assert found.prompted
    assert found.visible
    assert sorted(late.track(frame(6), 6).objects) == [1, 2]


def test_nobody_else_notices(make: Make) -> None:
    calm, disturbed = make(), make()
    for each in (calm, disturbed):
        each.prompt(frame(0), 1, points=OTHER, frame_index=0)
    expected = follow(calm, 0, 9)
    seen = follow(disturbed, 0, 4)
    disturbed.prompt(frame(2), 2, points=CLICK, frame_index=2)
    seen += follow(disturbed, 5, 6)
    disturbed.prompt(frame(3), 2, points=CLICK, labels=[0], frame_index=3)
    disturbed.prompt(frame(1), 3, box=(10, 10, 50, 50), frame_index=1)
    seen += follow(disturbed, 7, 7)
    disturbed.remove(2)
    seen += follow(disturbed, 8, 9)
    for ours, others in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(ours, others)


def test_the_next_frame_makes_use_of_it(make: Make) -> None:
    with_prompt, without = make(), make()
    for each in (with_prompt, without):
        each.prompt(frame(0), 1, points=OTHER, frame_index=0)
        follow(each, 0, 4)
    with_prompt.prompt(frame(3), 1, points=CLICK, frame_index=3)
    assert not np.array_equal(follow(with_prompt, 5, 5)[0], follow(without, 5, 5)[0])


def test_a_late_correction_begins_with_what_was_shown(tiny: Bundle) -> None:
    with VideoSegmenter(tiny, rung=240) as late, VideoSegmenter(tiny, rung=240) as timely:
        for segmenter in (late, timely):
            segmenter.prompt(frame(0), 1, points=CLICK, frame_index=0)
            follow(segmenter, 0, 1)
        expected = timely.correct(1, points=OTHER, labels=[0])
        found = late.prompt(frame(1), 1, points=OTHER, labels=[0], frame_index=1)
        np.testing.assert_array_equal(found.logits, expected.logits)


def test_its_memory_is_as_old_as_its_frame(tiny: Bundle) -> None:
    with VideoSegmenter(tiny, rung=240) as segmenter:
        segmenter.prompt(frame(0), 1, points=CLICK, frame_index=0)
        follow(segmenter, 0, 6)
        segmenter.prompt(frame(4), 1, points=CLICK, frame_index=4)
        memory = segmenter._objects[1].memory
        assert isinstance(memory, MemoryBank)
        newest = memory.columns["valid"] & (memory.columns["ordinal"] == memory.stored - 1)
        assert memory.columns["age"][newest].tolist() == [2] * TOKENS_PER_FRAME
        assert memory.columns["anchor"][newest].all()


def test_the_current_frame_can_still_be_corrected(make: Make) -> None:
    segmenter = make()
    segmenter.prompt(frame(0), 1, points=CLICK, frame_index=0)
    follow(segmenter, 0, 5)
    segmenter.prompt(frame(3), 1, points=CLICK, frame_index=3)
    assert segmenter.correct(1, points=OTHER, labels=[0]).prompted
    assert segmenter.track(frame(6), 6).frame_index == 6


def test_the_state_goes_on_as_before(make: Make, tmp_path: Path) -> None:
    segmenter, restored = make(), make()
    segmenter.prompt(frame(0), 1, points=CLICK, frame_index=0)
    follow(segmenter, 0, 5)
    segmenter.prompt(frame(3), 1, points=OTHER, frame_index=3)
    segmenter.save_state(str(tmp_path / "state.npz"))
    restored.load_state(str(tmp_path / "state.npz"))
    np.testing.assert_array_equal(follow(segmenter, 6, 6)[0], follow(restored, 6, 6)[0])


def test_too_late_is_refused_and_changes_nothing(tiny: Bundle) -> None:
    with VideoSegmenter(tiny, rung=240) as segmenter:
        for index in range(LATE_FRAMES + 3):  # nothing is followed yet, so that this is quick
            segmenter.track(frame(index % WIDTH), index)
        with pytest.raises(ArgumentError, match=rf"frame 2 is none of the last {LATE_FRAMES}"):
            segmenter.prompt(frame(2), 1, points=CLICK, frame_index=2)
        with pytest.raises(PromptError, match=r"click \(500, 3\)"):
            segmenter.prompt(frame(9), 1, points=[(500, 3)], frame_index=9)
        assert segmenter.object_ids == []
        segmenter.prompt(frame(3), 1, points=CLICK, frame_index=3)
        assert segmenter.object_ids == [1]
        with pytest.raises(ArgumentError, match="an index only grows"):
            segmenter.track(frame(4), 4)


def test_of_older_frames_the_masks_are_not_kept(tiny: Bundle) -> None:
    with VideoSegmenter(tiny, rung=240) as segmenter:
        segmenter.prompt(frame(0), 1, points=OTHER, frame_index=0)
        follow(segmenter, 0, 40)
        recent = segmenter._frames.recent
        assert [bool(recent.on(index)) for index in (0, 8, 9, 40)] == [False, False, True, True]
        assert segmenter.prompt(frame(2), 1, points=CLICK, frame_index=2).prompted


def test_an_object_that_was_removed_has_no_past(tiny: Bundle) -> None:
    with VideoSegmenter(tiny, rung=240) as segmenter, VideoSegmenter(tiny, rung=240) as fresh:
        segmenter.prompt(frame(0), 1, points=OTHER, frame_index=0)
        follow(segmenter, 0, 3)
        segmenter.remove(1)
        found = segmenter.prompt(frame(2), 1, points=CLICK, frame_index=2)
        expected = fresh.prompt(frame(2), 1, points=CLICK, frame_index=2)
        np.testing.assert_array_equal(found.logits, expected.logits)


def test_warming_up_leaves_nothing(make: Make) -> None:
    warm, cold = make(), make()
    warm_up(warm, frame(7))
    for each in (warm, cold):
        each.prompt(frame(0), 1, points=CLICK)
    for index in range(3):
        np.testing.assert_array_equal(
            warm.track(frame(index)).objects[1].logits, cold.track(frame(index)).objects[1].logits
        )
    with pytest.raises(ArgumentError, match="before the first prompt"):
        warm_up(warm, frame(7))
