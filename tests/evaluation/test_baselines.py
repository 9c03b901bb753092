"""The baselines do what their names say where it is easy."""

import numpy as np
import pytest

from sam2lite.evaluation.baselines import BASELINES, FLOOD_TOLERANCES, filled_box, grab_cut
from sam2lite.evaluation.clip import EvaluationClip
from sam2lite.evaluation.evaluate import ByName, EvaluationSettings, score_baselines


@pytest.fixture(scope="module")
def scores(moving_squares: EvaluationClip) -> ByName:
    return score_baselines(moving_squares, EvaluationSettings("click"))


def test_every_baseline_scores_every_object(scores: ByName) -> None:
    assert scores.keys() == BASELINES.keys()
    for found in scores.values():
        assert [score.object_id for score in found] == [1, 2]


def test_a_copied_mask_stays_where_it_was(scores: ByName) -> None:
    moving, waiting = scores["copied_mask"]
    assert moving.first_frame_j == waiting.first_frame_j == 1.0
    # Moved by 4 of 32 px: 28 columns in common, 36 in all; and so on.
    assert moving.j_t.tolist() == pytest.approx([28 / 36, 24 / 40, 20 / 44, 16 / 48])
    assert waiting.j_t.tolist() == [1.0] * 4


def test_flow_carries_a_mask_along(scores: ByName) -> None:
    moving, waiting = scores["dis"]
    assert moving.first_frame_j == 1.0
    assert moving.j_t.min() > 0.85
    assert waiting.j_t.min() > 0.95


def test_flood_and_grabcut_find_a_plain_square(scores: ByName) -> None:
    assert min(score.first_frame_j for score in scores["grabcut_dis"]) > 0.9
    flood = scores[f"flood_dis@{FLOOD_TOLERANCES[-1]}"]
    assert min(score.first_frame_j for score in flood) > 0.8


def test_the_filled_box_is_the_box(moving_squares: EvaluationClip) -> None:
    square = moving_squares.truth(0, 1)
    hollow = square.copy()
    hollow[12:36, 12:36] = False
    assert np.array_equal(filled_box(moving_squares.frames_rgb_thwc[0], hollow), square)


def test_grabcut_is_given_the_box_alone(moving_squares: EvaluationClip) -> None:
    frame = np.ascontiguousarray(moving_squares.frames_rgb_thwc[0, ..., ::-1])
    square = moving_squares.truth(0, 1)
    hollow = square.copy()
    hollow[12:36, 12:36] = False
    assert np.array_equal(grab_cut(frame, hollow), grab_cut(frame, square))


def test_grabcut_of_the_whole_frame_is_the_whole_frame(moving_squares: EvaluationClip) -> None:
    frame = moving_squares.frames_rgb_thwc[0]
    assert grab_cut(frame, np.ones(frame.shape[:2], bool)).all()
