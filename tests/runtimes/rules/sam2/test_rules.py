import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.runtimes.rules.sam2.scaling import enlarged
from sam2lite.runtimes.rules.sam2.slot_bank import SlotBank
from sam2lite.runtimes.segmenter import VideoSegmenter
from tests.doubles.sam2_bundle import Sam2Bundle
from tests.runtimes.rules.sam2.clip import HEIGHT, WIDTH, clip

CLICK, BOX = [(30, 20)], (20, 10, 55, 50)
FRAMES = clip(24)


@pytest.fixture
def bundle() -> Sam2Bundle:
    return Sam2Bundle()


@pytest.fixture
def segmenter(bundle: Sam2Bundle) -> Iterator[VideoSegmenter]:
    with VideoSegmenter(bundle, rung=64) as segmenter:
        yield segmenter


def bank(segmenter: VideoSegmenter, object_id: int = 1) -> SlotBank:
    memory = segmenter._objects[object_id].memory
    assert isinstance(memory, SlotBank)
    return memory


def attended(bundle: Sam2Bundle) -> list[str]:
    return [name for name, _ in bundle.runs if name.startswith("memory_attention")]


def test_graphs_grow_with_what_is_seen(segmenter: VideoSegmenter, bundle: Sam2Bundle) -> None:
    segmenter.prompt(FRAMES[0], points=CLICK)
    for frame in FRAMES[:9]:
        segmenter.track(frame)
    assert [name.rpartition("_")[2] for name in attended(bundle)] == list("22447777")


@pytest.mark.parametrize(("window", "slots"), [(1, 2), (2, 4), (3, 4), (4, 7), (6, 7), (None, 7)])
def test_a_smaller_window_takes_a_smaller_graph(
    bundle: Sam2Bundle, window: int | None, slots: int
) -> None:
    with VideoSegmenter(bundle, rung=64, window=window) as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        for frame in FRAMES[:10]:
            segmenter.track(frame)
    assert attended(bundle)[-1] == f"memory_attention_{slots}"
    rows = bundle.last("memory_attention")["memory_time_bs"]
    assert sorted(rows[0].tolist())[-1] == 6
    offered = {1: (1,), 2: (1, 2), 3: (1, 3), 4: (1, 3, 4)}
    assert segmenter._rules.windows == offered.get(window or 6, (1, 3, 6))


def test_a_frame_budget_ends_at_the_smallest_window(bundle: Sam2Bundle) -> None:
    with VideoSegmenter(bundle, budget_ms=1e-6) as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        for index in range(80):
            result = segmenter.track(FRAMES[index % len(FRAMES)], frame_index=index)
    assert result.controller is not None
    assert (result.rung, result.controller.window) == (64, 1)
    assert attended(bundle)[-1] == "memory_attention_2"


def test_absence_empties_the_mask_even_where_it_was_prompted(
    segmenter: VideoSegmenter, bundle: Sam2Bundle
) -> None:
    def absent(outputs: dict[str, np.ndarray]) -> None:
        outputs["object_score_logits"][:] = 0.0

    bundle.sessions["mask_decoder@64"].alter = absent
    found = segmenter.prompt(FRAMES[0], points=CLICK)
    assert (found.visible, found.lost, bool(found.mask.any())) == (True, False, False)
    assert (found.logits == -1024).all()
    inputs = bundle.last("memory_encoder")  # is remembered nevertheless
    assert (inputs["high_res_mask"] == -1024).all()
    assert inputs["object_score_logits"] == 0.0
    bundle.sessions["mask_decoder@64"].alter = lambda outputs: None
    assert segmenter.track(FRAMES[1]).frame_index == 1
    assert attended(bundle) == ["memory_attention_2"]


@pytest.mark.parametrize(
    ("graph", "output"),
    [
        ("mask_decoder", "masks"),
        ("mask_decoder", "iou_predictions"),
        ("mask_decoder", "object_score_logits"),
        ("mask_decoder", "object_pointers_bmc"),
        ("memory_encoder", "memory_features_bnc"),
    ],
)
def test_a_number_that_is_not_finite_loses_the_frame_alone(
    segmenter: VideoSegmenter, bundle: Sam2Bundle, graph: str, output: str
) -> None:
    def spoil(outputs: dict[str, np.ndarray]) -> None:
        outputs[output] = outputs[output] * np.float32(np.nan)

    segmenter.prompt(FRAMES[0], points=CLICK)
    for frame in FRAMES[:4]:
        segmenter.track(frame)
    session = bundle.sessions[f"{graph}@64"]
    session.alter = spoil
    found = segmenter.track(FRAMES[4]).objects[1]
    assert (found.lost, found.visible) == (True, False)
    session.alter = lambda outputs: None
    corrected = segmenter.correct(1, points=CLICK)
    assert not corrected.lost
    assert np.isfinite(segmenter.track(FRAMES[5]).objects[1].logits).all()


def test_a_first_frame_that_is_lost_leaves_nothing_to_look_back_at(
    segmenter: VideoSegmenter, bundle: Sam2Bundle
) -> None:
    def spoil(outputs: dict[str, np.ndarray]) -> None:
        outputs["memory_features_bnc"] = outputs["memory_features_bnc"] * np.float32(np.nan)

    bundle.sessions["memory_encoder@64"].alter = spoil
    assert segmenter.prompt(FRAMES[0], points=CLICK).lost
    bundle.sessions["memory_encoder@64"].alter = lambda outputs: None
    assert not segmenter.track(FRAMES[1]).objects[1].lost
    assert attended(bundle) == []
    segmenter.track(FRAMES[2])
    assert attended(bundle) == ["memory_attention_2"]
    segmenter.track(FRAMES[20], frame_index=200)  # what was tracked is out of reach
    assert attended(bundle) == ["memory_attention_2"]


def lose(outputs: dict[str, np.ndarray]) -> None:
    outputs["memory_features_bnc"] = outputs["memory_features_bnc"] * np.float32(np.nan)


def test_a_prompt_after_one_that_was_lost_is_a_first_one(
    segmenter: VideoSegmenter, bundle: Sam2Bundle
) -> None:
    segmenter.prompt(FRAMES[0], points=CLICK)
    bundle.sessions["memory_encoder@64"].alter = lose
    assert segmenter.prompt(FRAMES[5], points=CLICK, frame_index=5).lost
    bundle.sessions["memory_encoder@64"].alter = lambda outputs: None
    assert not segmenter.correct(1, box=BOX).lost
    assert attended(bundle) == []


def test_clicks_on_a_tracked_frame_that_was_lost_do_not_see_one_another(
    segmenter: VideoSegmenter, bundle: Sam2Bundle
) -> None:
    segmenter.prompt(FRAMES[0], points=CLICK)
    bundle.sessions["memory_encoder@64"].alter = lose
    assert segmenter.track(FRAMES[1]).objects[1].lost
    bundle.sessions["memory_encoder@64"].alter = lambda outputs: None
    for _ in range(3):
        segmenter.correct(1, points=CLICK)
        bias = bundle.last("memory_attention")["memory_bias_b11k"][0, 0, 0]
        assert (bias == 0).sum() == 16 + 4  # frame 0 and its pointer
    segmenter.track(FRAMES[2])
    assert sorted(bundle.last("memory_attention")["memory_time_bs"][0]) == [6, 6]


def test_a_prompted_frame_stays_one_when_it_is_corrected_in_place(bundle: Sam2Bundle) -> None:
    with VideoSegmenter(bundle, rung=64, corrections="in-place") as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        segmenter.track(FRAMES[0])
        segmenter.correct(1, box=BOX)
        segmenter.track(FRAMES[1])
        assert 6 in bundle.last("memory_attention")["memory_time_bs"]


def test_prompted_frames_that_come_again_are_shown_as_they_were(
    segmenter: VideoSegmenter, bundle: Sam2Bundle
) -> None:
    first = segmenter.prompt(FRAMES[0], points=CLICK, frame_index=0)
    later = segmenter.prompt(FRAMES[7], box=BOX, frame_index=7)
    segmenter.rewind()
    bundle.runs.clear()
    results = [segmenter.track(frame) for frame in FRAMES[:8]]
    again = [results[0].objects[1], results[7].objects[1]]
    for found, expected in zip(again, (first, later), strict=True):
        np.testing.assert_array_equal(found.mask, expected.mask)
        np.testing.assert_array_equal(found.logits, expected.logits)
        assert found.prompted
    assert [name for name, _ in bundle.runs].count("image_encoder") == 6
    assert [result.frame_index for result in results] == list(range(8))


def test_going_back_and_forth_changes_nothing_that_is_tracked_from_the_start(
    segmenter: VideoSegmenter,
) -> None:
    segmenter.prompt(FRAMES[0], points=CLICK)
    expected = [segmenter.track(frame).objects[1].logits for frame in FRAMES]
    segmenter.rewind()
    for frame, logits in zip(FRAMES, expected, strict=True):
        np.testing.assert_array_equal(segmenter.track(frame).objects[1].logits, logits)


def test_going_back_has_limits(segmenter: VideoSegmenter) -> None:
    segmenter.rewind(0)  # nothing was seen yet
    segmenter.prompt(FRAMES[0], points=CLICK)
    for frame in FRAMES[:5]:
        segmenter.track(frame)
    for index in (-1, 6, 1.5, True):
        with pytest.raises(ArgumentError, match="frame_index is"):
            segmenter.rewind(index)  # type: ignore[arg-type]
    segmenter.rewind(5)
    assert segmenter.track(FRAMES[5]).frame_index == 5
    segmenter.rewind(3)
    with pytest.raises(ArgumentError, match="no frame to correct yet"):
        segmenter.correct(1, points=CLICK)
    with pytest.raises(ArgumentError, match="an index only grows"):
        segmenter.track(FRAMES[2], frame_index=2)
    assert segmenter.track(FRAMES[3]).frame_index == 3


def test_sizes_change_with_memory_resampled(bundle: Sam2Bundle) -> None:
    with VideoSegmenter(bundle, rung=64) as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        for index, frame in enumerate(FRAMES):
            segmenter.set_rung(128 if index % 5 > 2 else 64)
            found = segmenter.track(frame)
            assert found.objects[1].logits.shape == (found.rung // 4, found.rung // 4)
        assert found.rung == 128
        records = bank(segmenter)._records
        assert {len(each.memory_nc) for each in records.values() if each.memory_nc is not None} == {
            16,
            64,
        }


def test_a_further_click_starts_from_the_mask_whatever_its_size(
    segmenter: VideoSegmenter, bundle: Sam2Bundle
) -> None:
    first = segmenter.prompt(FRAMES[0], points=CLICK)
    segmenter.rewind()
    segmenter.set_rung(128)
    segmenter.prompt(FRAMES[0], box=BOX)
    given = bundle.last("mask_decoder")
    assert given["has_mask_input"] == 1.0
    expected = np.clip(enlarged(first.logits, 32, 32), -32, 32)
    np.testing.assert_allclose(given["mask_input"][0, 0], expected, atol=1e-5)


def pierced(outputs: dict[str, np.ndarray]) -> None:
    outputs["masks"][:] = 5.0
    outputs["masks"][..., 3, 3:5] = -5.0
    outputs["object_score_logits"][:] = 1.0


def test_holes_are_filled_in_what_is_shown(bundle: Sam2Bundle) -> None:
    with VideoSegmenter(bundle, rung=64, fill_holes=2) as segmenter:
        bundle.sessions["mask_decoder@64"].alter = pierced
        found = segmenter.prompt(FRAMES[0], points=CLICK)
        assert found.mask.all()
        np.testing.assert_allclose(found.logits[3, 3:5], 0.1)
        assert (bundle.last("memory_encoder")["high_res_mask"] > 0).all()
        assert segmenter.track(FRAMES[1]).objects[1].mask.all()
        assert bundle.last("memory_encoder")["high_res_mask"].min() < 0  # as it was decided
    with VideoSegmenter(bundle, rung=64, fill_holes=1) as segmenter:
        bundle.sessions["mask_decoder@64"].alter = pierced
        assert not segmenter.prompt(FRAMES[0], points=CLICK).mask.all()


@pytest.mark.parametrize("non_overlap", [False, True])
def test_masks_may_be_kept_apart(bundle: Sam2Bundle, non_overlap: bool) -> None:
    masks = np.zeros((HEIGHT, WIDTH), bool)
    masks[10:40, 10:50] = True
    other = np.zeros_like(masks)
    other[20:50, 30:70] = True
    with VideoSegmenter(bundle, rung=64, non_overlap=non_overlap) as segmenter:
        first = segmenter.prompt(FRAMES[0], 4, mask=masks)
        second = segmenter.prompt(FRAMES[0], 7, mask=other)
        both = segmenter.track(FRAMES[0]).masks
    assert first.mask.any()
    np.testing.assert_array_equal(both[7], second.mask)
    assert (both[4] & both[7]).any() != non_overlap
    np.testing.assert_array_equal(both[4] | both[7], first.mask | second.mask)
    assert both[4][30, 40]  # of equals, the lower id's
    assert both[7][30, 40] != non_overlap


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"reference": "facebook"},
            UnknownNameError,
            "unknown reference implementation 'facebook'",
        ),
        ({"reference": 3}, UnknownNameError, "unknown reference implementation '3'"),
        ({"corrections": "none"}, UnknownNameError, "known: conditioning, in-place"),
        ({"memory_dtype": "float16"}, UnknownNameError, "known: bfloat16, float32"),
        ({"pointer_frames": 0}, ArgumentError, "pointer_frames is 0"),
        ({"fill_holes": -1}, ArgumentError, "fill_holes is -1"),
        ({"fill_holes": 0.5}, ArgumentError, "fill_holes is 0.5"),
        ({"window": 0}, ArgumentError, "window is 0; it must be a whole number, 1 to 6"),
        ({"window": 7}, ArgumentError, "window is 7"),
        ({"non_overlap": 1}, ArgumentError, "non_overlap is 1; it must be True or False"),
        ({"motion_aware": "yes"}, ArgumentError, "motion_aware is 'yes'"),
        ({"policy": "fifo"}, UnknownNameError, "unknown SAM 2 setting 'policy'"),
    ],
)
def test_settings_are_checked(
    bundle: Sam2Bundle, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        VideoSegmenter(bundle, rung=64, **settings)


def test_a_video_of_one_frame_has_pointers_of_itself_alone(bundle: Sam2Bundle) -> None:
    with VideoSegmenter(bundle, rung=64, pointer_frames=1) as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        segmenter.track(FRAMES[0])
        segmenter.correct(1, points=CLICK)
    assert (bundle.last("memory_attention")["pointer_time_bq"] == 0).all()


def test_a_thousand_frames_leave_no_more_than_three_hundred() -> None:
    bundle = Sam2Bundle((64,))
    with VideoSegmenter(bundle) as segmenter:
        segmenter.prompt(FRAMES[0], points=CLICK)
        kept = []
        for index in range(1000):
            segmenter.track(FRAMES[index % len(FRAMES)], frame_index=index)
            bundle.runs.clear()
            if index in (299, 999):
                kept.append(len(pickle.dumps(segmenter._objects)))
    assert kept[1] <= kept[0] + 100  # digits of indices
