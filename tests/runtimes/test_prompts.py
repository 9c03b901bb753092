import warnings
from typing import Any

import numpy as np
import pytest

from sam2lite.contracts.families.sam2lite import MASK_DECODER, graph_dims
from sam2lite.contracts.loop import LABEL_PAD, MASKED_BIAS, PROMPT_SLOTS
from sam2lite.errors import PromptError, PromptWarning
from sam2lite.runtimes.prompts import Prompt, checked_id, empty_slots
from sam2lite.runtimes.rules.sam2lite.mask_prompt import mask_logits

WIDTH, HEIGHT = 200, 100


def test_clicks_fill_the_first_slots_at_pixel_centres() -> None:
    slots = Prompt(points=[(0, 0), (199, 99), (99.5, 49.5)], labels=[1, 0, 1]).slots(WIDTH, HEIGHT)
    expected = [[0.5 / 200, 0.5 / 100], [199.5 / 200, 99.5 / 100], [0.5, 0.5]]
    assert slots.prompt_xy_norm_bpc[0, :3] == pytest.approx(np.array(expected))
    assert slots.prompt_label_bp.tolist() == [[1, 0, 1] + [LABEL_PAD] * 5]
    assert slots.prompt_bias_b11p[0, 0, 0].tolist() == [0] * 3 + [MASKED_BIAS] * 5


def test_labels_are_positive_unless_given() -> None:
    assert Prompt(points=[(1, 2), (3, 4)]).labels.tolist() == [1, 1]


def test_a_box_follows_the_clicks_as_two_corners() -> None:
    slots = Prompt(points=[(10, 10)], box=(20, 30, 60, 80)).slots(WIDTH, HEIGHT)
    assert slots.prompt_label_bp.tolist() == [[1, 2, 3] + [LABEL_PAD] * 5]
    corners = [[20.5 / 200, 30.5 / 100], [60.5 / 200, 80.5 / 100]]
    assert slots.prompt_xy_norm_bpc[0, 1:3] == pytest.approx(np.array(corners))


def test_a_box_may_reach_the_edges_of_the_frame() -> None:
    slots = Prompt(box=(0, 0, WIDTH, HEIGHT)).slots(WIDTH, HEIGHT)
    assert slots.prompt_xy_norm_bpc[0, 1].tolist() == [1, 1]


def test_six_clicks_and_a_box_fill_all_slots() -> None:
    slots = Prompt(points=[(5, 5)] * 6, box=(0, 0, 9, 9)).slots(WIDTH, HEIGHT)
    assert (slots.prompt_bias_b11p == 0).all()


def test_slots_are_what_the_decoder_takes() -> None:
    dims = graph_dims(rung=240, d=8, c8=8, c4=8, budget=32)
    specs = {spec.name: spec for spec in MASK_DECODER.bind(dims).inputs}
    mask = np.ones((HEIGHT, WIDTH), bool)
    tensors = Prompt(points=[(1, 1)]).slots(WIDTH, HEIGHT)._asdict()
    tensors["mask_prompt_b1hw"] = mask_logits(mask, 60)
    for name, tensor in tensors.items():
        assert (tensor.shape, tensor.dtype.name) == (specs[name].shape, specs[name].dtype)


def test_no_prompt_hides_every_slot() -> None:
    slots = empty_slots()
    assert (slots.prompt_bias_b11p == MASKED_BIAS).all()
    assert (slots.prompt_label_bp == LABEL_PAD).all()
    assert (slots.prompt_xy_norm_bpc == 0.5).all()


def test_slots_are_not_shared() -> None:
    empty_slots().prompt_bias_b11p[:] = 0
    assert (empty_slots().prompt_bias_b11p == MASKED_BIAS).all()


def test_a_mask_alone_uses_no_slot() -> None:
    slots = Prompt(mask=np.eye(HEIGHT, WIDTH, dtype=np.uint8)).slots(WIDTH, HEIGHT)
    assert (slots.prompt_bias_b11p == MASKED_BIAS).all()


def test_arrays_are_taken_as_lists_are() -> None:
    prompt = Prompt(np.array([[1, 2]]), np.array([0]), np.array([1, 2, 3, 4]))
    assert prompt.points_xy.tolist() == [[1, 2]]
    assert prompt.box_xyxy is not None
    assert prompt.box_xyxy.tolist() == [1, 2, 3, 4]


EDGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a click": ({"points": [(200, 5), (7, -1)]}, {"points": [(199, 5), (7, 0)]}),
    "a fraction": ({"points": [(-0.5, 99.4)]}, {"points": [(0, 99)]}),
    "a pixel of a box": ({"box": (0, -1, 201, 50)}, {"box": (0, 0, 200, 50)}),
    "a hundredth of the width": ({"box": (-2, 0, 202, 101)}, {"box": (0, 0, 200, 100)}),
}


@pytest.mark.parametrize(("given", "moved"), EDGES.values(), ids=EDGES.keys())
def test_what_is_just_outside_is_moved_to_the_edge_and_said(
    given: dict[str, Any], moved: dict[str, Any]
) -> None:
    with pytest.warns(PromptWarning, match="beyond the frame of 200x100 px and was moved"):
        slots = Prompt(**given).slots(WIDTH, HEIGHT)
    expected = Prompt(**moved)
    assert expected.inside(WIDTH, HEIGHT) is expected
    assert (slots.prompt_xy_norm_bpc == expected.slots(WIDTH, HEIGHT).prompt_xy_norm_bpc).all()


def test_what_is_just_outside_is_said_once_for_a_size() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        for right in (200.5, 201, 201.5):
            Prompt(box=(1, 1, right, 9)).inside(200, 100)
    assert len(said) == 1


OUTSIDE = {
    "right of the frame": (
        {"points": [(200.1, 5)]},
        r"click \(200.1, 5\) .* 200x100 px; x must be in 0..199",
    ),
    "above it": ({"points": [(5, -2)]}, r"click \(5, -2\) .* y in 0..99"),
    "box": ({"box": (0, 0, 203, 50)}, r"box \(0, 0, 203, 50\) leaves .* x must be in 0..200"),
    "box above": ({"box": (0, -2, 20, 50)}, r"leaves the frame"),
    "box beside": ({"box": (200.5, 0, 201, 50)}, r"leaves the frame"),
    "mask of another size": (
        {"mask": np.ones((50, 60), bool)},
        "mask is 60x50 px, but the frame is 200x100",
    ),
}


@pytest.mark.parametrize(("prompt", "message"), OUTSIDE.values(), ids=OUTSIDE.keys())
def test_what_does_not_fit_the_frame_is_refused(prompt: dict[str, Any], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        Prompt(**prompt).slots(WIDTH, HEIGHT)


UNUSABLE = {
    "nothing": ({}, "prompt is empty"),
    "no points": ({"points": []}, "prompt is empty"),
    "an empty mask": ({"mask": np.zeros((4, 4), bool)}, "mask is empty"),
    "NaN": ({"points": [(float("nan"), 1)]}, "nan.* must be finite"),
    "infinity": ({"box": (0, 0, float("inf"), 9)}, "inf.* must be finite"),
    "None in a point": ({"points": [(None, 1)]}, "None"),
    "text": ({"points": "here"}, "'here' cannot be read"),
    "one flat point": ({"points": (3, 4)}, r"\(3, 4\) are not pairs"),
    "points of three": ({"points": [(1, 2, 3)]}, "are not pairs"),
    "points of mixed lengths": ({"points": [(1, 2), (3,)]}, "cannot be read"),
    "nine clicks": ({"points": [(1, 1)] * 9}, "9 clicks need 9 slots, but there are 8"),
    "seven clicks and a box": (
        {"points": [(1, 1)] * 7, "box": (0, 0, 2, 2)},
        "7 clicks and a box need 9 slots",
    ),
    "label 2": ({"points": [(1, 1)], "labels": [2]}, "unknown label 2; give one per point, 1 on"),
    "label 0.5": ({"points": [(1, 1)], "labels": [0.5]}, "unknown label 0.5"),
    "labels for other points": (
        {"points": [(1, 1)], "labels": [1, 0]},
        "2 labels for 1 points",
    ),
    "labels without points": ({"labels": [1], "box": (0, 0, 2, 2)}, "1 labels for 0 points"),
    "box without area": ({"box": (5, 5, 5, 9)}, r"\(5, 5, 5, 9\) has no area; give x1"),
    "box upside down": ({"box": (5, 9, 8, 5)}, "5,5,8,9 if its corners are swapped, 5,9,13,14 if"),
    "box to the left": ({"box": (9, 5, -1, 8)}, "give x1, y1, x2, y2: -1,5,9,8 if [a-z ]*$"),
    "box of three": ({"box": (5, 9, 8)}, "is not four numbers"),
    "mask in colour": ({"mask": np.ones((4, 4, 3), bool)}, r"shape \(4, 4, 3\)"),
    "mask of floats": ({"mask": np.ones((4, 4))}, "type float64"),
}


@pytest.mark.parametrize(("prompt", "message"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_cannot_be_used_is_refused(prompt: dict[str, Any], message: str) -> None:
    with pytest.raises(PromptError, match=message):
        Prompt(**prompt)


@pytest.mark.parametrize("object_id", ["cup", "1", None, 1.0, True, (1,), 2**63])
def test_an_object_is_called_by_a_whole_number(object_id: Any) -> None:
    with pytest.raises(PromptError, match=r"the object's id is .* must be a whole number"):
        checked_id(object_id)


def test_a_name_is_told_to_be_kept_apart() -> None:
    with pytest.raises(PromptError, match=r"'cup'.*number the objects, and keep their names"):
        checked_id("cup")
    assert checked_id(np.int32(3)) == 3


def test_slots_are_as_many_as_the_contract_says() -> None:
    assert len(Prompt(points=[(1, 1)] * PROMPT_SLOTS).points_xy) == PROMPT_SLOTS
