"""The loop by itself: prompts that do not fit, going back, states, sizes, losses."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sam2lite.errors import ArgumentError, PromptError, UnknownNameError
from sam2lite.models.sam2.fused import fused
from sam2lite.models.sam2.network import Sam2
from sam2lite.models.sam2.reference.loop import SlotBankReference
from sam2lite.runtimes.prompts import Prompt
from sam2lite.runtimes.rules import box_motion
from tests.oracles.comparing import gap
from tests.oracles.ours import run_ours
from tests.oracles.scenarios import (
    BOX,
    CLICK,
    CLICKS,
    MASK,
    SIDE,
    Scenario,
    prompted,
    tracked,
)

FRAME = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)


def started(network: Sam2, frame: Tensor = FRAME, **settings: Any) -> SlotBankReference:
    loop = SlotBankReference(network, **settings)
    loop.start_frame(frame)
    return loop


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"reference": "sam3"}, UnknownNameError, "huggingface"),
        ({"corrections": "conditional"}, UnknownNameError, "in-place"),
        ({"memory_dtype": "float16"}, UnknownNameError, "bfloat16"),
        ({"pointer_frames": 0}, ArgumentError, "pointer_frames"),
        ({"pointer_frames": 2.5}, ArgumentError, "pointer_frames"),
        ({"window": 7}, ArgumentError, "window"),
        ({"fill_holes": -1}, ArgumentError, "fill_holes"),
        ({"non_overlap": 1}, ArgumentError, "non_overlap"),
        ({"motion_aware": "yes"}, ArgumentError, "motion_aware"),
        ({"policy": "fifo"}, UnknownNameError, "SAM 2 setting"),
    ],
)
def test_settings_that_there_are_not(
    settings: dict[str, Any], error: type[Exception], words: str, oracle_network: Sam2
) -> None:
    with pytest.raises(error, match=words):
        SlotBankReference(oracle_network, **settings)


@pytest.mark.parametrize(
    "image",
    [
        FRAME.float(),
        FRAME[0],
        FRAME[:, :1],
        FRAME[..., :130],
        torch.zeros(1, 3, 150, 150, dtype=torch.uint8),
        torch.zeros((), dtype=torch.uint8),
    ],
    ids=lambda image: f"{image.dtype} {list(image.shape)}",
)
def test_images_of_another_form(image: Tensor, oracle_network: Sam2) -> None:
    with pytest.raises(ArgumentError, match="multiples of 32"):
        SlotBankReference(oracle_network).start_frame(image)


def test_what_is_asked_too_early_or_of_nobody(oracle_network: Sam2) -> None:
    loop = SlotBankReference(oracle_network)
    with pytest.raises(ArgumentError, match="start_frame"):
        loop.prompt(1, Prompt(**CLICK), SIDE, SIDE)
    loop.start_frame(FRAME)
    for ask in (loop.track, loop.remove):
        with pytest.raises(UnknownNameError, match="object"):
            ask(1)


def test_a_mask_with_clicks_and_one_that_vanishes(oracle_network: Sam2) -> None:
    loop = started(oracle_network)
    with pytest.raises(PromptError, match="without clicks"):
        loop.prompt(1, Prompt(**MASK, **CLICK), SIDE, SIDE)
    speck = np.zeros((1000, 1000), bool)
    speck[500, 500] = True
    with pytest.raises(PromptError, match="vanishes"):
        loop.prompt(1, Prompt(mask=speck), 1000, 1000)
    with pytest.raises(PromptError, match="outside"):
        loop.prompt(1, Prompt(points=[(SIDE + 1, 0)]), SIDE, SIDE)
    with pytest.raises(UnknownNameError):
        loop.track(1)  # nothing of it has been kept


def test_a_prompt_is_in_source_pixels(oracle_network: Sam2, oracle_clip: list[Tensor]) -> None:
    outputs = []
    for scale in (1, 3):
        loop = started(oracle_network, oracle_clip[0])
        prompt = Prompt([(70 * scale, 60)], box=[40 * scale, 30, 110 * scale, 100])
        outputs.append(loop.prompt(1, prompt, SIDE * scale, SIDE).logits_hw)
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-4)


def test_a_mask_of_another_size(oracle_network: Sam2, oracle_clip: list[Tensor]) -> None:
    large = np.kron(MASK["mask"], np.ones((2, 4), bool))
    outputs = []
    for mask in (MASK["mask"], large):
        loop = started(oracle_network, oracle_clip[0])
        outputs.append(loop.prompt(1, Prompt(mask=mask), mask.shape[1], mask.shape[0]))
    assert torch.equal(outputs[0].logits_hw, outputs[1].logits_hw)
    assert outputs[0].iou == 1.0
    assert outputs[0].object_score == 10.0


def test_tracking_a_frame_again_changes_nothing(
    oracle_network: Sam2, oracle_clip: list[Tensor]
) -> None:
    loop = started(oracle_network, oracle_clip[0])
    first = loop.prompt(1, Prompt(**BOX), SIDE, SIDE)
    assert loop.track(1) is first
    loop.start_frame(oracle_clip[1])
    second, state = loop.track(1), loop.state()
    assert loop.track(1) is second
    assert all(torch.equal(tensor, state[name]) for name, tensor in loop.state().items())


@pytest.mark.parametrize("saved_after", ["track", "prompt"])
def test_a_state_goes_on_as_the_loop_does(
    saved_after: str,
    oracle_network: Sam2,
    oracle_clip: list[Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(box_motion, "STEADY_FRAMES", 2)  # so that the box has a say
    loop = started(oracle_network, oracle_clip[0], motion_aware=True)
    loop.prompt(1, Prompt(**BOX), SIDE, SIDE)
    loop.prompt(2, Prompt(**CLICKS), SIDE, SIDE)
    for frame in oracle_clip[1:4]:
        loop.start_frame(frame)
        for object_id in (1, 2):
            loop.track(object_id)
    if saved_after == "prompt":
        loop.prompt(1, Prompt(**CLICK), SIDE, SIDE)
    other = SlotBankReference(oracle_network, motion_aware=True)
    other.restore({name: tensor.clone() for name, tensor in loop.state().items()})
    for frame in oracle_clip[4:6]:
        for each in (loop, other):
            each.start_frame(frame)
        for object_id in (1, 2):
            expected, actual = loop.track(object_id), other.track(object_id)
            assert torch.equal(actual.logits_hw, expected.logits_hw)
    assert list(other.state()) == list(loop.state())


def test_a_prompted_frame_that_comes_again_is_shown_as_it_was(
    oracle_network: Sam2, oracle_clip: list[Tensor]
) -> None:
    loop = started(oracle_network, oracle_clip[0])
    first = loop.prompt(1, Prompt(**BOX), SIDE, SIDE)
    loop.seek(2)
    loop.start_frame(oracle_clip[2])
    third = loop.prompt(1, Prompt(**CLICK), SIDE, SIDE)
    loop.seek(0)
    with pytest.raises(ArgumentError, match="start_frame"):
        loop.prompt(1, Prompt(**BOX), SIDE, SIDE)
    shown = []
    for frame in oracle_clip[:3]:
        loop.start_frame(frame)
        shown.append(loop.track(1))
    assert shown[0] is first
    assert shown[2] is third
    assert not torch.equal(shown[1].logits_hw, first.logits_hw)


def test_removing_and_resetting(oracle_network: Sam2) -> None:
    loop = started(oracle_network)
    loop.prompt(1, Prompt(**BOX), SIDE, SIDE)
    loop.prompt(2, Prompt(**CLICK), SIDE, SIDE)
    loop.remove(1)
    assert {name.split("/")[0] for name in loop.state()} == {"now", "2"}
    loop.reset()
    assert set(loop.state()) == {"now"}


def test_memory_of_another_input_size_is_resampled(
    oracle_network: Sam2, oracle_clip: list[Tensor]
) -> None:
    loop = started(oracle_network, oracle_clip[0])
    loop.prompt(1, Prompt(**BOX), SIDE, SIDE)
    loop.start_frame(oracle_clip[1])
    same = loop.track(1)
    loop.seek(1)
    larger = F.interpolate(oracle_clip[1].float(), (192, 192), mode="bilinear").to(torch.uint8)
    loop.start_frame(larger)
    other = loop.track(1)
    assert other.logits_hw.shape == (48, 48)
    shown = F.interpolate(other.logits_hw[None, None], (40, 40), mode="bilinear")[0, 0]
    assert ((shown > 0) == (same.logits_hw > 0)).float().mean() > 0.8


def test_what_is_not_finite_is_lost_and_not_stored(
    oracle_network: Sam2, oracle_clip: list[Tensor]
) -> None:
    loop = started(oracle_network, oracle_clip[0])
    loop.prompt(1, Prompt(**BOX), SIDE, SIDE)
    loop.start_frame(oracle_clip[1])
    before = loop.state()
    weight = oracle_network.memory_encoder.out_proj.weight
    kept = weight.clone()
    weight.fill_(torch.nan)
    lost = loop.track(1)
    weight.copy_(kept)
    assert lost.lost
    assert not lost.present
    assert set(loop.state()) == set(before)
    loop.start_frame(oracle_clip[2])
    assert not loop.track(1).lost


def test_a_fused_network_is_called_as_its_graphs_are(
    oracle_network: Sam2, oracle_clip: list[Tensor]
) -> None:
    many = [prompted(frame, **CLICK) for frame in (0, 2, 3, 5, 8)]
    scenario = Scenario("padded", (*many, *tracked(last=9)))
    exact = run_ours(oracle_network, oracle_clip, scenario, memory_dtype="float32")
    padded = run_ours(fused(oracle_network), oracle_clip, scenario, memory_dtype="float32")
    found = gap(padded, exact)
    assert found.min_iou == 1.0
    assert found.logit <= 1e-4
