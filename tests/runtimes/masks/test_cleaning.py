"""Islands, holes, filters and boxes; memory knows nothing of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.data.clips import ClipConfig, first_click, generate_clip
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.masks.boxes import best_boxes, box_of
from sam2lite.runtimes.masks.cleaning import clean_results
from sam2lite.runtimes.masks.components import cleaned
from sam2lite.runtimes.masks.options import NOTHING, Cleaning, checked_cleaning
from sam2lite.runtimes.masks.stability import stability
from sam2lite.runtimes.results import ObjectResult
from sam2lite.runtimes.segmenter import VideoSegmenter


def drawn(*rows: str) -> np.ndarray:
    return np.array([[cell == "#" for cell in row] for row in rows])


SPECKLED = drawn(
    "........#.",
    ".####.....",
    ".#..#.....",
    ".####...##",
    "........##",
)


@pytest.mark.parametrize(
    ("islands", "holes", "rows"),
    [
        (0, 0, None),
        (1, 0, ("..........", ".####.....", ".#..#.....", ".####...##", "........##")),
        (4, 0, ("..........", ".####.....", ".#..#.....", ".####.....", "..........")),
        (0, 1, None),
        (0, 2, ("........#.", ".####.....", ".####.....", ".####...##", "........##")),
        (4, 2, ("..........", ".####.....", ".####.....", ".####.....", "..........")),
        (99, 0, ("..........", ".####.....", ".#..#.....", ".####.....", "..........")),
    ],
)
def test_small_parts_go(islands: int, holes: int, rows: tuple[str, ...] | None) -> None:
    before = SPECKLED.copy()
    found = cleaned(SPECKLED, islands, holes)
    assert np.array_equal(found, SPECKLED if rows is None else drawn(*rows))
    assert np.array_equal(SPECKLED, before)


def test_parts_that_touch_at_a_corner_are_one() -> None:
    chain = drawn("#...", ".#..", "..#.", "....")
    assert np.array_equal(cleaned(chain, islands=2), chain)


@pytest.mark.parametrize("mask", [np.zeros((4, 5), bool), np.ones((4, 5), bool)])
def test_nothing_and_everything_stay(mask: np.ndarray) -> None:
    assert np.array_equal(cleaned(mask, islands=100, holes=100), mask)


def test_only_masks_are_cleaned() -> None:
    with pytest.raises(ArgumentError, match="bool"):
        cleaned(np.zeros((2, 2), np.uint8), 1)


def test_against_a_flood_fill_over_random_masks() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random((12, 17)) < 0.35
        found = cleaned(mask, islands=3)
        parts = flooded(mask)
        largest = max(map(len, parts))
        kept = {cell for part in parts if len(part) > 3 for cell in part}
        if largest <= 3:
            assert found.sum() == largest
        else:
            assert {tuple(cell) for cell in np.argwhere(found)} == kept


def flooded(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    parts = []
    while left:
        part, front = set(), [left.pop()]
        while front:
            y, x = front.pop()
            part.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            front += near
        parts.append(part)
    return parts


def test_stability_is_the_overlap_of_two_thresholds() -> None:
    logits = np.array([[3.0, 0.5, -0.5, -3.0]], np.float32)
    assert stability(logits) == pytest.approx(1 / 3)
    assert stability(logits, offset=0.1) == 1.0
    assert stability(np.full((2, 2), -9.0, np.float32)) == 1.0


def test_boxes_that_lie_on_better_ones_go() -> None:
    boxes = [[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [0, 0, 10, 10]]
    scores = [0.8, 0.9, 0.1, 0.8]
    assert best_boxes(boxes, scores, 0.7) == [1, 2]
    assert best_boxes(boxes, scores, 0.9) == [1, 0, 2]
    assert best_boxes(boxes, scores, 1.0) == [1, 0, 3, 2]
    assert best_boxes(np.zeros((0, 4)), [], 0.5) == []
    assert box_of(SPECKLED) == [1, 0, 10, 5]
    assert box_of(np.zeros((3, 3), bool)) is None


def result(mask: np.ndarray, iou: float = 0.9, **more: Any) -> ObjectResult:
    logits = np.where(mask, 9.0, -9.0).astype(np.float32)
    given = {"visible": True, "lost": False, "prompted": False, **more}
    return ObjectResult(
        mask,
        more.pop("logits", logits),
        iou,
        3.0,
        **{name: given[name] for name in ("visible", "lost", "prompted")},
    )


def test_nothing_is_done_unless_asked_for() -> None:
    results = {1: result(SPECKLED, 0.0)}
    assert clean_results(results, NOTHING) is results


def test_filters_hide_and_say_why() -> None:
    soft = np.full(SPECKLED.shape, 0.5, np.float32)
    results = {
        1: result(SPECKLED, 0.4),
        2: result(SPECKLED, 0.9, logits=soft),
        3: result(drawn("#####")),
        4: result(SPECKLED, 0.1, prompted=True),
        5: result(SPECKLED, 0.1, visible=False),
    }
    found = clean_results(results, Cleaning(min_iou=0.5, min_stability=0.5))
    assert [found[each].hidden for each in range(1, 6)] == ["iou", "stability", None, None, None]
    assert not found[1].visible
    assert not found[1].mask.any()
    assert found[4].visible
    assert results[1].mask.any()  # the argument is as it was


def test_of_objects_in_one_place_the_surest_is_shown() -> None:
    same, other = drawn("####....", "####...."), drawn(".......#", ".......#")
    results = {1: result(same, 0.6), 2: result(same, 0.8), 3: result(other, 0.1)}
    found = clean_results(results, Cleaning(box_nms=0.7))
    assert [found[each].hidden for each in (1, 2, 3)] == ["box", None, None]
    pointed = dict(results)
    pointed[1] = result(same, 0.2, prompted=True)
    found = clean_results(pointed, Cleaning(box_nms=0.7))
    assert [found[each].hidden for each in (1, 2, 3)] == [None, "box", None]


@pytest.mark.parametrize(
    "cleaning",
    [
        Cleaning(islands=-1),
        Cleaning(holes=1.5),  # type: ignore[arg-type]
        Cleaning(min_iou=1.5),
        Cleaning(min_stability=float("nan")),
        Cleaning(box_nms="0.5"),  # type: ignore[arg-type]
        Cleaning(min_iou=True),
        {"islands": 3},
    ],
)
def test_bad_options_are_refused(cleaning: Any) -> None:
    with pytest.raises(ArgumentError, match=r"must be|give a Cleaning"):
        checked_cleaning(cleaning)


def test_memory_knows_nothing_of_it(mini_bundle: Path) -> None:
    clip = generate_clip(2, ClipConfig(height=72, width=96, frames=4))
    frames = [np.ascontiguousarray(frame[..., ::-1]) for frame in clip.frames_rgb_thwc]
    click = first_click(clip, clip.object_ids[0])
    followed = []
    for cleaning in (None, Cleaning(min_iou=1.0, islands=500, holes=500)):
        with VideoSegmenter(str(mini_bundle), cleaning=cleaning) as segmenter:
            segmenter.prompt(frames[0], points=[click])
            followed.append([segmenter.track(frame).objects[1] for frame in frames])
    plain, filtered = followed
    for one, other in zip(plain, filtered, strict=True):
        assert np.array_equal(one.logits, other.logits)
        assert other.hidden == (None if other.prompted or not one.visible else "iou")
