"""The frame loop against the published ones, over the same functions."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from sam2lite.contracts.families.sam2 import REWIND_FRAMES
from sam2lite.runtimes.results import ObjectResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.sam2_bundle import Sam2Bundle
from tests.runtimes.rules.sam2.clip import HEIGHT, WIDTH, clip
from tests.runtimes.rules.sam2.published_loop import Output, PublishedObject

SIZE, COUNT = 64, 24
CLICK, OTHER = [(30, 20)], [(60, 45)]
BOX = (20, 10, 55, 50)
REFERENCES = pytest.mark.parametrize("reference", ["meta", "huggingface"])


class Pair:
    """Ours and theirs, asked the same things; every answer is compared."""

    def __init__(self, reference: str, **settings: Any) -> None:
        self.frames = clip(COUNT)
        self.published = PublishedObject(
            self.frames,
            SIZE,
            reference == "meta",
            corrections_condition=settings.get("corrections") != "in-place",
        )
        settings.setdefault("memory_dtype", "float32")
        self.bundle = Sam2Bundle()
        self.ours = VideoSegmenter(self.bundle, rung=SIZE, reference=reference, **settings)
        self.scores: list[float] = []
        self.is_lost = True

    def click(self, index: int, points: Any = None, labels: Any = None, box: Any = None) -> None:
        found = self.ours.prompt(
            self.frames[index], points=points, labels=labels, box=box, frame_index=index
        )
        same(found, self.published.click(index, points or [], labels or [], box))

    def draw(self, index: int, mask: np.ndarray) -> None:
        found = self.ours.prompt(self.frames[index], mask=mask, frame_index=index)
        same(found, self.published.draw(index, mask))

    def track(self, start: int, end: int = COUNT) -> None:
        for index, expected in zip(
            range(start, end), self.published.propagate(start, end), strict=True
        ):
            found = self.ours.track(self.frames[index], frame_index=index).objects[1]
            same(found, expected)
            self.scores.append(found.object_score)

    def rewind(self, index: int = 0) -> None:
        self.ours.rewind(index)
        self.published.rewind(index)


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    made: list[Pair] = []
    yield made
    for pair in made:
        pair.ours.close()
        assert max(pair.scores) > 0
        assert min(pair.scores) < 0 or not pair.is_lost, "the object must be lost"


def same(found: ObjectResult, expected: Output, atol: float = 1e-4) -> None:
    np.testing.assert_allclose(found.logits, expected["logits"][0, 0], rtol=1e-4, atol=atol)
    assert found.iou == pytest.approx(expected["iou"], abs=1e-4)
    assert found.object_score == pytest.approx(expected["score"], abs=1e-3)
    assert found.visible == (found.prompted or expected["score"] > 0)


def drawn() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[13:41, 17:48] = True
    mask[20:24, 30:33] = False
    return mask


@REFERENCES
@pytest.mark.parametrize(
    "prompt",
    [
        {"points": CLICK},
        {"points": [*CLICK, *OTHER, (5, 50)], "labels": [1, 0, 1]},
        {"box": BOX},
        {"box": BOX, "points": OTHER, "labels": [0]},
    ],
)
def test_clicks_and_boxes(pairs: list[Pair], reference: str, prompt: dict[str, Any]) -> None:
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, **prompt)
    pair.track(0)


def test_an_object_that_is_lost_is_found_again(pairs: list[Pair]) -> None:
    pair = Pair("meta")
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.track(0)
    lost = next(index for index, score in enumerate(pair.scores) if score < 0)
    assert max(pair.scores[lost:]) > 0


@REFERENCES
def test_a_mask(pairs: list[Pair], reference: str) -> None:
    pair = Pair(reference)
    pairs.append(pair)
    pair.draw(0, drawn())
    pair.track(0)


@REFERENCES
def test_a_second_click_before_tracking(pairs: list[Pair], reference: str) -> None:
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.click(0, CLICK + OTHER, [1, 0])
    pair.click(0, OTHER)
    pair.track(0)


@REFERENCES
def test_a_click_on_the_first_frame_after_tracking(pairs: list[Pair], reference: str) -> None:
    """Meta's attends to the frame's own memory as it was tracked with, not as just clicked."""
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.track(0, 1)
    pair.click(0, CLICK + OTHER, [1, 0])
    pair.click(0, OTHER)
    pair.track(1)


@REFERENCES
def test_a_mask_and_then_a_click(pairs: list[Pair], reference: str) -> None:
    pair = Pair(reference)
    pairs.append(pair)
    pair.draw(0, drawn())
    pair.track(0, 1)
    pair.click(0, OTHER, [0])
    pair.track(1)


@REFERENCES
@pytest.mark.parametrize("corrections", ["conditioning", "in-place"])
@pytest.mark.parametrize("at", [3, 10])
def test_a_correction_of_a_tracked_frame(
    pairs: list[Pair], reference: str, corrections: str, at: int
) -> None:
    pair = Pair(reference, corrections=corrections)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.track(0, at + 1)
    pair.click(at, OTHER)
    pair.click(at, CLICK + OTHER, [0, 1])
    pair.track(at + 1)


@REFERENCES
@pytest.mark.parametrize("corrections", ["conditioning", "in-place"])
def test_a_correction_by_a_mask(pairs: list[Pair], reference: str, corrections: str) -> None:
    pair = Pair(reference, corrections=corrections)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.track(0, 9)
    pair.draw(8, drawn())
    pair.track(9)


@REFERENCES
def test_two_prompted_frames(pairs: list[Pair], reference: str) -> None:
    """The second one is decided without memory: nothing was tracked there before."""
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.track(0, 12)
    pair.click(12, box=BOX)
    pair.track(12)


@REFERENCES
def test_a_prompted_frame_in_the_future(pairs: list[Pair], reference: str) -> None:
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.click(12, box=BOX)
    pair.rewind()
    pair.track(0)


@REFERENCES
def test_an_object_that_is_prompted_later_alone(pairs: list[Pair], reference: str) -> None:
    """All that its first frames see of it is in the future, without a pointer."""
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(12, box=BOX)
    pair.rewind()
    pair.track(0)


@REFERENCES
def test_a_click_on_a_frame_that_has_come_again(pairs: list[Pair], reference: str) -> None:
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.track(0, 9)
    pair.rewind()
    pair.click(0, OTHER)
    pair.track(0)


@REFERENCES
def test_going_back_into_the_middle(pairs: list[Pair], reference: str) -> None:
    """The published loops still have all memory before it."""
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.track(0, 20)
    pair.rewind(20 - REWIND_FRAMES)
    pair.track(20 - REWIND_FRAMES, 14)
    pair.click(13, OTHER)
    pair.track(14)


@REFERENCES
def test_a_prompt_ahead_while_tracking(pairs: list[Pair], reference: str) -> None:
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.track(0, 8)
    pair.click(COUNT - 1, box=BOX)
    pair.rewind(8)
    pair.track(8)


@REFERENCES
@pytest.mark.parametrize("corrections", ["conditioning", "in-place"])
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done(reference: str, corrections: str, seed: int) -> None:
    """Prompts of all kinds on any frame, several in a row, and going back before the end."""
    rng = np.random.default_rng(seed)
    pair = Pair(reference, corrections=corrections)
    pair.published.limit = 4

    def prompt(index: int) -> None:
        passed = index in pair.published.cond and index in pair.published.tracked
        if passed and corrections == "in-place":
            return  # Meta loses such a click
        kind = rng.integers(4)
        points = [(int(x), int(y)) for x, y in rng.integers((WIDTH, HEIGHT), size=(3, 2))]
        if kind == 0:
            pair.draw(index, np.roll(drawn(), int(rng.integers(30)), 1))
        elif kind == 1:
            pair.click(index, points[: rng.integers(1, 3)])
        else:
            box = (*np.minimum(points[0], (WIDTH - 12, HEIGHT - 12)).tolist(), WIDTH, HEIGHT)
            pair.click(index, points[: rng.integers(3)], box=box)

    prompt(0)
    index = earliest = 0
    for _ in range(2 * COUNT):
        before, after, ahead, back = rng.random(4) < (0.15, 0.2, 0.05, 0.15)
        if ahead and index + 1 < COUNT:
            prompt(int(rng.integers(index + 1, COUNT)))
            pair.rewind(index)
        for _ in range(rng.integers(1, 4) if before else 0):
            prompt(index)
        pair.track(index, index + 1)
        for _ in range(rng.integers(1, 4) if after else 0):
            prompt(index)
        pair.published.consolidate()  # Meta's, unlike Hugging Face's, waits until it propagates
        index += 1
        earliest = max(earliest, index - REWIND_FRAMES)
        if back or index == COUNT:
            if rng.random() < 0.25:
                earliest = index = 0
            index = int(rng.integers(earliest, max(index, 1)))
            pair.rewind(index)
    pair.ours.close()


@REFERENCES
def test_a_click_on_a_prompted_frame_that_was_passed_again(
    pairs: list[Pair], reference: str
) -> None:
    """Meta's is a correction from then on."""
    pair = Pair(reference)
    pairs.append(pair)
    pair.click(0, CLICK)
    pair.click(12, box=BOX)
    pair.rewind()
    pair.track(0, 1)
    pair.click(0, OTHER)
    pair.track(1)


def test_more_prompted_frames_than_are_seen(pairs: list[Pair]) -> None:
    """The others count as tracked ones where they are near, as with Meta's own limit."""
    pair = Pair("meta")
    pairs.append(pair)
    pair.published.limit = 4
    pair.is_lost = False  # so many prompts hold it
    for index in (0, 2, 5, 6, 7, 9, 17):
        pair.click(index, CLICK if index % 2 else OTHER)
    pair.rewind()
    pair.track(0)


@pytest.mark.parametrize("length", [8, COUNT])
def test_the_length_of_the_video_counts_for_pointers(pairs: list[Pair], length: int) -> None:
    pair = Pair("meta", pointer_frames=length)
    pairs.append(pair)
    pair.published.pointer_frames = min(length, 16)
    pair.click(0, CLICK)
    pair.track(0)


def test_two_objects_do_not_see_each_other(pairs: list[Pair]) -> None:
    """One is prompted later than the other, which must not change."""
    pair = Pair("meta")
    pairs.append(pair)
    second = PublishedObject(pair.frames, SIZE)
    pair.click(0, CLICK)
    pair.track(0, 5)
    found = pair.ours.prompt(pair.frames[4], 2, box=BOX, frame_index=4)
    same(found, second.click(4, box=BOX))
    first, other = pair.published.propagate(5, COUNT), second.propagate(4, COUNT)
    next(other)
    for index, expected in enumerate(zip(first, other, strict=True), 5):
        pair.bundle.runs.clear()
        results = pair.ours.track(pair.frames[index], frame_index=index).objects
        same(results[1], expected[0])
        pair.scores.append(results[1].object_score)
        same(results[2], expected[1])
        assert [name for name, _ in pair.bundle.runs].count("image_encoder") == 1


def test_memory_is_kept_in_bfloat16() -> None:
    """Rounding makes of the last bit of a float32 a step of 1/256, here and there."""
    frames = clip(COUNT)
    published = PublishedObject(frames, SIZE, memory_dtype=torch.bfloat16)
    exact = PublishedObject(frames, SIZE)
    with VideoSegmenter(Sam2Bundle(), rung=SIZE) as ours:
        same(ours.prompt(frames[0], points=CLICK), published.click(0, CLICK))
        exact.click(0, CLICK)
        far = []
        outputs = zip(published.propagate(0, COUNT), exact.propagate(0, COUNT), strict=True)
        for frame, (rounded, not_rounded) in zip(frames, outputs, strict=True):
            found = ours.track(frame).objects[1]
            same(found, rounded, atol=2e-3)
            far.append(float(abs(rounded["logits"] - not_rounded["logits"]).max()))
    assert max(far) > 0.01
