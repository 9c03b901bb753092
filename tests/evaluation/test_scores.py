"""What one object's masks come to, and what many objects come to."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sam2lite.errors import VideoError
from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.object_score import ObjectScore, ObjectScorer
from sam2lite.evaluation.scores import summarise

SIDE = 40


def clip_of(rows: list[slice], annotated: list[bool] | None = None) -> EvaluationClip:
    """Object 1 fills some rows of each frame."""
    labels = np.zeros((len(rows), SIDE, SIDE), np.uint8)
    for labels_hw, part in zip(labels, rows, strict=True):
        labels_hw[part] = 1
    frames = np.zeros((*labels.shape, 3), np.uint8)
    annotated_t = np.array(annotated or [True] * len(rows))
    return EvaluationClip("clip", frames, labels, annotated_t)


def rows_mask(part: slice) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[part] = True
    return mask


def scored(clip: EvaluationClip, predicted: list[slice], skip_last: bool = False) -> ObjectScore:
    scorer = ObjectScorer(clip, 1, skip_last)
    for part in predicted:
        scorer.add(rows_mask(part))
    return scorer.score()


def test_first_frame_counts_in_its_own_column_only() -> None:
    score = scored(clip_of([slice(0, 20)] * 4), [slice(0, 10)] + [slice(0, 20)] * 3)
    assert score.first_frame_j == 0.5
    assert score.frames.tolist() == [1, 2, 3]
    assert score.j_t.tolist() == score.f_t.tolist() == [1.0] * 3
    assert (score.jf, score.area_share) == (1.0, 0.5)


def test_last_frame_can_be_left_out() -> None:
    predicted = [slice(0, 20)] * 3 + [slice(0, 0)]
    assert scored(clip_of([slice(0, 20)] * 4), predicted).j_t.tolist() == [1.0, 1.0, 0.0]
    assert scored(clip_of([slice(0, 20)] * 4), predicted, skip_last=True).j_t.tolist() == [1.0, 1.0]


def test_only_annotated_frames_are_scored() -> None:
    annotated = [True, False, True, False, True]
    clip = clip_of([slice(0, 20)] * 5, annotated)
    score = scored(clip, [slice(0, 20), slice(0, 0), slice(0, 20), slice(0, 0), slice(0, 10)])
    assert score.frames.tolist() == [2, 4]
    assert score.j_t.tolist() == [1.0, 0.5]
    assert np.isnan(score.flicker)  # no two neighbours are annotated


def test_drift_and_last_frames() -> None:
    clip = clip_of([slice(0, 20)] * 7)
    score = scored(clip, [slice(0, rows) for rows in (20, 20, 18, 16, 14, 12, 10)])
    assert score.drift == pytest.approx(-0.1)
    assert score.j_last4 == pytest.approx((0.8 + 0.7 + 0.6 + 0.5) / 4)


def test_flicker_is_measured_where_the_truth_stands_still() -> None:
    # The truth jumps between frames 2 and 3, and the prediction with it.
    clip = clip_of([slice(0, 20)] * 3 + [slice(20, 40)] * 2)
    score = scored(clip, [slice(0, 20), slice(0, 10), slice(0, 20), slice(20, 40), slice(20, 40)])
    assert score.changes.tolist() == [0.5, 0.5, 0.0]
    assert score.flicker == pytest.approx(1 / 3)


def test_what_a_network_says_of_an_object_that_leaves_and_returns() -> None:
    # Out of view on frames 2 to 4; the mask is empty on 1, wrongly, and on 3 and 4.
    shown, gone = slice(0, 20), slice(0, 0)
    truth = [shown, shown, gone, gone, gone, shown, shown]
    predicted = [shown, gone, shown, gone, gone, slice(0, 10), shown]
    scores = summarise([scored(clip_of(truth), predicted)])
    assert scores.absent_frames == 3
    assert scores.absence_found == pytest.approx(200 / 3)
    assert scores.false_absence == pytest.approx(100 / 3)
    assert scores.j_after_return == pytest.approx(75.0)


def test_an_object_that_stays_says_nothing_of_absence() -> None:
    scores = summarise([scored(clip_of([slice(0, 20)] * 3), [slice(0, 20)] * 3)])
    assert (scores.absent_frames, scores.false_absence) == (0, 0.0)
    found = scores.to_json()
    assert found["absence_found"] is found["j_after_return"] is None


def test_lost_frames_are_those_that_show_the_object() -> None:
    # Hidden on frame 2, found on 1, empty on 3, in the wrong place on 4.
    truth = [slice(0, 20), slice(0, 20), slice(0, 0), slice(0, 20), slice(0, 20)]
    predicted = [slice(0, 20), slice(0, 15), slice(0, 0), slice(0, 0), slice(19, 40)]
    score = scored(clip_of(truth), predicted)
    assert score.lost_t.tolist() == [False, False, True, True]
    assert score.lost_rate == pytest.approx(2 / 3)
    assert score.j_t[1] == 1.0  # rightly empty


def test_first_frame_alone_gives_its_own_j_alone() -> None:
    clip = clip_of([slice(0, 20)] * 3, [True, False, False])
    lone = scored(clip, [slice(0, 10)] * 3)
    assert (lone.first_frame_j, len(lone.frames)) == (0.5, 0)
    scores = summarise([lone, scored(clip_of([slice(0, 20)] * 2), [slice(0, 20)] * 2)])
    assert (scores.objects, scores.scored, scores.first_frame_j, scores.j) == (2, 1, 75.0, 100.0)
    assert summarise([lone]).to_json()["jf"] is None


def test_object_that_later_masks_do_not_name_is_unknown_there() -> None:
    labels = [slice(0, 20), slice(0, 0), slice(0, 0)]
    assert clip_of(labels, [True, False, True]).scored_frames(1) == []
    assert clip_of(labels).scored_frames(1) == [1, 2]  # all annotated: it is gone


def test_unannotated_first_frame_is_refused() -> None:
    class Late:
        frames_rgb_thwc = np.zeros((2, SIDE, SIDE, 3), np.uint8)
        labels_thw = np.ones((2, SIDE, SIDE), np.uint8)
        object_ids = [1]  # noqa: RUF012
        annotated_t = np.array([False, True])

    with pytest.raises(VideoError, match="'late' has no mask for its first frame"):
        EvaluationClip.of(Late(), "late")


def test_objects_are_followed_from_a_share_of_the_frame_on() -> None:
    labels = np.zeros((1, 100, 100), np.uint8)
    labels[0, 0, :29] = 1  # 0.29 %
    labels[0, 1, :30] = 7  # 0.30 %
    for object_id in range(20, 40):
        labels[0, object_id] = object_id
    labels[0, 20, 50:] = 0
    clip = EvaluationClip("c", np.zeros((1, 100, 100, 3), np.uint8), labels, np.ones(1, bool))
    assert clip.prompted_ids() == list(range(21, 37))  # the largest 16
    labels[0, 20:] = 0
    assert clip.prompted_ids() == [7]


def test_every_object_counts_alike() -> None:
    good = scored(clip_of([slice(0, 20)] * 9), [slice(0, 20)] * 9)
    half = scored(clip_of([slice(0, 2)] * 2), [slice(0, 2), slice(0, 1)])
    scores = summarise([good, half])
    assert scores.j == pytest.approx(75.0)
    assert scores.jf == pytest.approx((scores.j + scores.f) / 2)
    assert (scores.drift, scores.objects) == (0.0, 2)  # the second has one frame, so no slope
    assert np.isnan(scores.jf_stderr)  # one clip
    assert scores.by_size["small"].objects == 0
    assert np.isnan(scores.by_size["small"].jf)
    assert scores.by_size["medium"].first_frame_j == 100.0
    assert scores.by_size["large"].jf == 100.0


def test_standard_error_is_over_clips() -> None:
    good = scored(clip_of([slice(0, 20)] * 2), [slice(0, 20)] * 2)
    empty = scored(clip_of([slice(0, 20)] * 2), [slice(0, 20), slice(0, 0)])
    scores = summarise([replace(good, clip="a"), replace(empty, clip="b")])
    assert scores.jf == 50.0
    assert scores.jf_stderr == pytest.approx(50.0)  # of the mean of 100 and 0
    twice = summarise([replace(good, clip="a")] * 2 + [replace(empty, clip="b")] * 2)
    assert twice.jf_stderr == pytest.approx(50.0)  # more objects of the same clips are no news


def test_json_has_plain_numbers() -> None:
    data = summarise([scored(clip_of([slice(0, 20)] * 2), [slice(0, 20), slice(0, 7)])]).to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["j"] == 35.0
    assert data["drift"] is None
    assert "object_scores" not in data


def test_no_objects_is_said() -> None:
    with pytest.raises(VideoError, match=r"0\.3 %"):
        summarise([])
