import numpy as np
import pytest

from sam2lite.errors import PromptError
from sam2lite.runtimes.masks.stability import stability
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules.sam2.candidates import STABILITY_MARGIN, Candidates, choose
from sam2lite.runtimes.rules.sam2.holes import FILLED, without_holes
from sam2lite.runtimes.rules.sam2.prompt_tokens import NO_PROMPT, prompt_tokens
from sam2lite.runtimes.rules.sam2.selection import closest


def candidates(first_mask: list[float]) -> Candidates:
    masks = np.zeros((4, 1, len(first_mask)), np.float32)
    masks[0, 0] = first_mask
    iou = np.array([0.99, 0.2, 0.7, 0.7], np.float32)
    return Candidates(masks, iou, np.zeros((4, 256), np.float32), 1.0)


def test_the_best_of_several_brings_its_pointer() -> None:
    assert choose(candidates([9.0]), several_masks=True) == (2, 2)  # the first of equals


@pytest.mark.parametrize(
    ("first_mask", "expected"),
    [
        ([9.0] * 49 + [0.0], (0, 0)),  # 49 of 50 stay: just stable
        ([9.0] * 48 + [0.0], (2, 0)),  # 48 of 49 do not, and the pointer stays
        ([9.0, 0.05], (2, 0)),  # the margin itself does not count above, but below
        ([-9.0, -0.05], (0, 0)),  # nothing at all is stable
    ],
)
def test_an_unstable_mask_gives_way(first_mask: list[float], expected: tuple[int, int]) -> None:
    assert choose(candidates(first_mask), several_masks=False) == expected


def test_stability_is_a_share_of_the_mask() -> None:
    logits = np.array([[1.0, 0.051, 0.05, -0.049, -0.05]], np.float32)
    assert stability(logits, STABILITY_MARGIN) == np.float32(0.5)


def test_corners_come_first_and_a_token_ends_the_prompt() -> None:
    prompt = Prompt([(10, 20), (30, 40)], [1, 0], box=(0, 5, 50, 80))
    inputs = prompt_tokens(prompt, 100, 80).inputs(64, 64)
    half = 0.5 / 64
    np.testing.assert_allclose(
        inputs["prompt_xy_norm_bpc"][0, :4],
        [
            [half, 5 / 80 + half],
            [0.5 + half, 1 + half],
            [0.1 + half, 0.25 + half],
            [0.3 + half, 0.5 + half],
        ],
        rtol=1e-6,
    )
    assert inputs["prompt_label_bp"].tolist() == [[2, 3, 1, 0, 4, 4, 4, 4, 4]]
    assert (inputs["prompt_bias_b11p"][0, 0, 0] == 0).tolist() == [True] * 5 + [False] * 4
    assert inputs["prompt_label_bp"].dtype == np.int32


def test_no_prompt_is_two_ends() -> None:
    inputs = NO_PROMPT.inputs(64, 64)
    assert (inputs["prompt_label_bp"] == 4).all()
    assert (inputs["prompt_bias_b11p"][0, 0, 0] == 0).tolist() == [True] * 2 + [False] * 7


@pytest.mark.parametrize(
    ("prompt", "several"),
    [
        (None, True),
        (Prompt([(1, 1)]), True),
        (Prompt([(1, 1), (2, 2)]), False),
        (Prompt(box=(1, 1, 5, 5)), False),
    ],
)
def test_one_point_leaves_a_doubt_and_two_do_not(prompt: Prompt | None, several: bool) -> None:
    assert prompt_tokens(prompt, 9, 9).several_masks is several


def test_eight_points_and_their_end_fit() -> None:
    inputs = prompt_tokens(Prompt([(x, 0) for x in range(8)]), 9, 9).inputs(64, 64)
    assert (inputs["prompt_bias_b11p"] == 0).all()


def test_a_prompt_must_fit() -> None:
    with pytest.raises(PromptError, match="outside the frame"):
        prompt_tokens(Prompt([(11, 0)]), 9, 9)
    mask = np.ones((9, 9), bool)
    with pytest.raises(PromptError, match=r"a mask is taken as it is, and 1 point\(s\)"):
        prompt_tokens(Prompt([(1, 1)], mask=mask), 9, 9)
    with pytest.raises(PromptError, match="a mask is taken as it is"):
        prompt_tokens(Prompt(box=(1, 1, 5, 5), mask=mask), 9, 9)


def test_small_holes_are_filled() -> None:
    logits = np.full((8, 8), 3.0, np.float32)
    logits[1, 1] = -2
    logits[2, 2] = 0  # touches the first at a corner; 0 is outside the object
    logits[4:7, 4:7] = -5
    filled = without_holes(logits, 2)
    assert filled[1, 1] == filled[2, 2] == np.float32(FILLED)
    assert (filled[4:7, 4:7] == -5).all()
    assert without_holes(logits, 1) is logits
    assert (without_holes(logits, 9) > 0).all()
    nothing = np.full((8, 8), -1024, np.float32)
    assert without_holes(nothing, 63) is nothing


def test_the_nearest_prompted_frames_are_seen() -> None:
    prompted = [0, 30, 10, 20, 12, 40]
    assert closest(15, prompted[:4], 4) == [0, 30, 10, 20]
    assert closest(15, prompted, 4) == [12, 20, 10, 0]  # 30 is as near, and came later
    assert closest(12, prompted, 2) == [10, 12]  # the frame itself is at or after
    assert closest(50, prompted, 3) == [40, 30, 20]
    assert closest(-1, prompted, 2) == [0, 10]
