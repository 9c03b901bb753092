import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from sam2lite.contracts.loop import MASKED_BIAS
from sam2lite.errors import ArgumentError, PromptError, UnknownNameError
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.models.sam2lite.reference.bank import Bank
from sam2lite.models.sam2lite.reference.loop import ReferenceLoop
from sam2lite.runtimes.prompts import Prompt

Frames = Callable[..., Tensor]
Click = Callable[..., tuple[Tensor, Tensor, Tensor]]


def equal(first: Bank, second: Bank) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def valid_ordinals(loop: ReferenceLoop, object_id: int = 1) -> set[int]:
    bank = loop.objects[object_id].bank
    return set(bank.ordinal_n[bank.valid_n].tolist())


@pytest.fixture
def loop(visible: Sam2Lite, frame: Frames, click: Click) -> ReferenceLoop:
    """Object 1 was clicked on frame 0."""
    loop = ReferenceLoop(visible)
    loop.start_frame(frame(0))
    loop.prompt(1, click(0.4, 0.6))
    return loop


def test_output_is_the_best_candidate(loop: ReferenceLoop) -> None:
    output = loop.track(1)
    assert output.chosen == int(output.candidate_iou_m.argmax())
    assert torch.equal(output.logits_hw, output.candidate_logits_mhw[output.chosen])
    assert output.iou == output.candidate_iou_m.max()
    assert output.object_score == 50.0
    assert output.logits_hw.shape == (60, 60)
    assert output.candidate_pointer_mc.shape == (4, 256)
    assert output.present
    assert not output.lost


def test_bank_holds_the_memory_encoders_tokens(loop: ReferenceLoop, frame: Frames) -> None:
    output, bank = loop.track(1), loop.objects[1].bank
    features_s16_bchw, _, _ = loop.model.image_encoder(frame(0))
    key, value, uncertainty = loop.model.memory_encoder(
        features_s16_bchw,
        output.logits_hw[None, None],
        output.candidate_pointer_mc[[output.chosen]],
    )
    same_nk = (bank.key_nc[bank.valid_n][:, None] == key[0]).all(dim=-1)
    assert (same_nk.sum(0) == 1).all()
    token = same_nk.int().argmax(dim=1)
    assert torch.equal(bank.value_nc[bank.valid_n], value[0, token])
    assert torch.equal(bank.uncertainty_n[bank.valid_n], uncertainty[0, token])
    assert bank.anchor_n[bank.valid_n].all()


def test_ages_grow_by_one_a_frame_whatever_is_tracked(loop: ReferenceLoop, frame: Frames) -> None:
    loop.start_frame(frame(1))
    loop.start_frame(frame(2))
    loop.track(1)
    loop.start_frame(frame(3))
    bank = loop.objects[1].bank
    anchors, tracked = bank.valid_n & bank.anchor_n, bank.valid_n & ~bank.anchor_n
    assert (bank.age_n[anchors] == 3).all()
    assert (bank.age_n[tracked] == 1).all()
    assert loop.objects[1].stored == 2


def test_window_is_what_the_decoder_sees(loop: ReferenceLoop, frame: Frames) -> None:
    for index in range(1, 5):
        loop.start_frame(frame(index))
        loop.track(1)
    loop.start_frame(frame(5))
    state = loop.objects[1]
    others = [copy.copy(state) for _ in range(3)]
    tracked = ~state.bank.anchor_n & state.bank.valid_n
    for other, ordinal in zip(others, (2, 3, 0), strict=True):
        slots = state.bank.ordinal_n == ordinal
        value_nc = state.bank.value_nc + 10.0 * slots[:, None]
        other.bank = state.bank._replace(value_nc=value_nc)
    assert set(state.bank.ordinal_n[tracked].tolist()) == {1, 2, 3, 4}
    loop.objects.update({2: others[0], 3: others[1], 4: others[2]})
    loop.window = 2  # sees frames 3 and 4, and the anchor 0
    outputs = loop.track_all()
    assert torch.equal(outputs[1].logits_hw, outputs[2].logits_hw)
    assert not torch.equal(outputs[1].logits_hw, outputs[3].logits_hw)
    assert not torch.equal(outputs[1].logits_hw, outputs[4].logits_hw)


def test_first_prompt_stays_through_many_prompts_and_frames(
    loop: ReferenceLoop, frame: Frames, click: Click
) -> None:
    for index in range(1, 6):
        loop.start_frame(frame(index))
        loop.prompt(1, click(0.5, 0.5))
    assert valid_ordinals(loop) == {0, 3, 4, 5}
    for index in range(6, 8):
        loop.start_frame(frame(index))
        loop.track(1)
    bank = loop.objects[1].bank
    assert set(bank.ordinal_n[bank.anchor_n & bank.valid_n].tolist()) == {0, 3, 4, 5}
    assert valid_ordinals(loop) == {0, 3, 4, 5, 6, 7}


def test_absent_object_writes_nothing(blind: Sam2Lite, frame: Frames, click: Click) -> None:
    loop = ReferenceLoop(blind)
    loop.start_frame(frame(0))
    prompted = loop.prompt(1, click(0.5, 0.5))
    assert prompted.present  # the user sees it, whatever the score
    assert prompted.object_score < 0
    loop.start_frame(frame(1))
    before = loop.objects[1].bank
    output = loop.track(1)
    assert (output.present, output.lost) == (False, False)
    assert equal(loop.objects[1].bank, before)
    assert loop.objects[1].stored == 1


@pytest.mark.parametrize(
    "path",
    [
        "mask_decoder.upsampler.last",
        "mask_decoder.iou.last",
        "mask_decoder.object_score.last",
        "mask_decoder.pointer.last",
        "memory_encoder.value",
        "memory_encoder.pointer_key",
    ],
)
def test_nan_loses_the_frame_and_no_more(
    visible: Sam2Lite, frame: Frames, click: Click, path: str
) -> None:
    model = copy.deepcopy(visible)
    broken = model.get_submodule(path)
    assert isinstance(broken, nn.Conv2d | nn.Linear)
    assert broken.bias is not None
    healthy = broken.bias.clone()
    loop = ReferenceLoop(model)
    loop.start_frame(frame(0))
    loop.prompt(1, click(0.5, 0.5))

    loop.start_frame(frame(1))
    before = loop.objects[1].bank
    broken.bias.fill_(torch.nan)
    output = loop.track(1)
    assert (output.present, output.lost) == (False, True)
    assert equal(loop.objects[1].bank, before)
    assert loop.objects[1].stored == 1

    broken.bias.copy_(healthy)
    corrected = loop.correct(1, click(0.5, 0.5))  # there are no logits to start from
    assert corrected.present
    loop.start_frame(frame(2))
    assert loop.track(1).present
    assert valid_ordinals(loop) == {0, 1, 2}


def test_lost_first_prompt_leaves_an_empty_bank(
    visible: Sam2Lite, frame: Frames, click: Click
) -> None:
    model = copy.deepcopy(visible)
    model.memory_encoder.key.bias.fill_(torch.nan)
    loop = ReferenceLoop(model)
    loop.start_frame(frame(0))
    assert loop.prompt(1, click(0.5, 0.5)).lost
    assert valid_ordinals(loop) == set()
    assert loop.objects[1].stored == 0


def test_correction_replaces_the_frames_tokens_and_makes_an_anchor(
    loop: ReferenceLoop, frame: Frames, click: Click
) -> None:
    loop.start_frame(frame(1))
    loop.track(1)
    tracked = loop.objects[1].bank
    loop.correct(1, click(0.2, 0.2))
    state = loop.objects[1]
    slots = state.bank.valid_n & (state.bank.ordinal_n == 1)
    assert state.stored == 2
    assert slots.sum() == 32
    assert state.bank.anchor_n[slots].all()
    assert (state.bank.age_n[slots] == 0).all()
    old_key_nc = tracked.key_nc[tracked.valid_n & (tracked.ordinal_n == 1)]
    assert torch.cdist(state.bank.key_nc[slots], old_key_nc).min() > 0
    assert valid_ordinals(loop) == {0, 1}
    loop.correct(1, click(0.8, 0.2))
    assert loop.objects[1].stored == 2
    assert valid_ordinals(loop) == {0, 1}


def test_correction_starts_from_the_frames_logits_and_older_memory(
    loop: ReferenceLoop, frame: Frames, click: Click
) -> None:
    first = loop.track(1)
    corrected = loop.correct(1, click(0.2, 0.2))
    model, bank = loop.model, Bank.empty(256, torch.device("cpu"))
    expected_bmhw, *_ = model.mask_decoder(
        *model.image_encoder(frame(0)),
        bank.key_nc[None],
        bank.value_nc[None],
        torch.zeros(1, 256),
        torch.full((1, 1, 1, 256), MASKED_BIAS),
        *click(0.2, 0.2),
        first.logits_hw[None, None],
        torch.ones(1, 1, 1, 1),
    )
    torch.testing.assert_close(corrected.candidate_logits_mhw, expected_bmhw[0])


def test_absent_object_can_be_corrected(blind: Sam2Lite, frame: Frames, click: Click) -> None:
    loop = ReferenceLoop(blind)
    loop.start_frame(frame(0))
    loop.prompt(1, click(0.5, 0.5))
    loop.start_frame(frame(1))
    assert not loop.track(1).present
    assert loop.correct(1, click(0.5, 0.5)).present
    assert loop.objects[1].stored == 2
    assert valid_ordinals(loop) == {0, 1}


def test_prompt_on_the_current_frame_corrects(
    loop: ReferenceLoop, visible: Sam2Lite, frame: Frames, click: Click
) -> None:
    again = ReferenceLoop(visible)
    again.start_frame(frame(0))
    again.prompt(1, click(0.4, 0.6))
    corrected, prompted = loop.correct(1, click(0.1, 0.1)), again.prompt(1, click(0.1, 0.1))
    assert torch.equal(corrected.logits_hw, prompted.logits_hw)
    assert equal(loop.objects[1].bank, again.objects[1].bank)


def test_prompt_on_an_unprocessed_frame_has_no_logits_to_start_from(
    loop: ReferenceLoop, frame: Frames, click: Click
) -> None:
    loop.start_frame(frame(1))
    loop.objects[2] = copy.copy(loop.objects[1])
    prompted = loop.prompt(1, click(0.2, 0.2))
    loop.track(2)
    corrected = loop.correct(2, click(0.2, 0.2))
    assert not torch.equal(prompted.logits_hw, corrected.logits_hw)
    assert valid_ordinals(loop) == {0, 1}


@pytest.mark.parametrize("also_click", [False, True])
def test_users_mask_is_the_mask(loop: ReferenceLoop, click: Click, also_click: bool) -> None:
    mask_b1hw = torch.full((1, 1, 60, 60), -10.0)
    mask_b1hw[..., 10:20, 30:50] = 10.0
    slots = click(0.6, 0.2) if also_click else click()
    for output in (loop.prompt(2, slots, mask_b1hw), loop.correct(1, slots, mask_b1hw.numpy())):
        assert torch.equal(output.logits_hw, mask_b1hw[0, 0])
        assert not torch.equal(output.candidate_logits_mhw[output.chosen], mask_b1hw[0, 0])
        assert output.present
    assert loop.objects[2].stored == 1


def test_numpy_slots_of_the_runtime_fit(loop: ReferenceLoop, click: Click) -> None:
    slots = Prompt(points=[(120, 60)]).slots(480, 240)
    from_numpy = loop.prompt(2, slots)
    from_torch = loop.prompt(3, click(120.5 / 480, 60.5 / 240))
    torch.testing.assert_close(from_numpy.logits_hw, from_torch.logits_hw)


def test_bank_survives_a_change_of_rung(loop: ReferenceLoop, frame: Frames) -> None:
    before = loop.objects[1].bank
    loop.start_frame(frame(1, rung=288))
    assert equal(loop.objects[1].bank, before.aged())
    output = loop.track(1)
    assert output.logits_hw.shape == (72, 72)
    assert valid_ordinals(loop) == {0, 1}
    loop.start_frame(frame(2))
    assert loop.track(1).logits_hw.shape == (60, 60)
    assert valid_ordinals(loop) == {0, 1, 2}


def test_objects_do_not_see_each_other(visible: Sam2Lite, frame: Frames, click: Click) -> None:
    clicks = {1: click(0.2, 0.3), 2: click(0.7, 0.7)}

    def run(*order: int) -> ReferenceLoop:
        loop = ReferenceLoop(visible)
        loop.start_frame(frame(0))
        for object_id in order:
            loop.prompt(object_id, clicks[object_id])
        loop.start_frame(frame(1))
        loop.track_all()
        return loop

    together, reversed_order, alone = run(1, 2), run(2, 1), run(1)
    for object_id in clicks:
        first, second = together.objects[object_id], reversed_order.objects[object_id]
        assert equal(first.bank, second.bank)
        assert torch.equal(
            together.track(object_id).logits_hw, reversed_order.track(object_id).logits_hw
        )
    assert equal(together.objects[1].bank, alone.objects[1].bank)
    assert not torch.equal(together.track(1).logits_hw, together.track(2).logits_hw)


def test_tracking_twice_on_a_frame_stores_once(loop: ReferenceLoop, frame: Frames) -> None:
    loop.start_frame(frame(1))
    first = loop.track(1)
    assert loop.track(1) is first
    assert loop.track_all() == {1: first}
    assert loop.objects[1].stored == 2


def test_motion_is_stored_with_the_tokens(visible: Sam2Lite, frame: Frames, click: Click) -> None:
    asked: list[tuple[int, torch.Size]] = []

    def motion(object_id: int, logits_hw: Tensor) -> float:
        asked.append((object_id, logits_hw.shape))
        return 0.5

    loop = ReferenceLoop(visible, motion)
    loop.start_frame(frame(0))
    loop.prompt(7, click(0.5, 0.5))
    bank = loop.objects[7].bank
    assert asked == [(7, (60, 60))]
    assert (bank.motion_n[bank.valid_n] == 0.5).all()
    assert (bank.motion_n[~bank.valid_n] == 0.0).all()


def test_removed_object_starts_anew(loop: ReferenceLoop, click: Click) -> None:
    first = loop.track(1)
    loop.remove(1)
    with pytest.raises(UnknownNameError, match="unknown object 1"):
        loop.track(1)
    assert torch.equal(loop.prompt(1, click(0.4, 0.6)).logits_hw, first.logits_hw)


def test_reset_forgets_objects_and_frame(loop: ReferenceLoop, click: Click) -> None:
    loop.reset()
    assert loop.track_all() == {}
    with pytest.raises(ArgumentError, match="no current frame; call start_frame first"):
        loop.prompt(1, click(0.5, 0.5))
    assert not loop.objects


def test_gradients_only_on_request(visible: Sam2Lite, frame: Frames, click: Click) -> None:
    with torch.enable_grad():
        plain, differentiable = (ReferenceLoop(visible, differentiable=on) for on in (False, True))
        for loop in (plain, differentiable):
            loop.start_frame(frame(0))
            loop.prompt(1, click(0.5, 0.5))
            loop.start_frame(frame(1))
        assert not plain.track(1).logits_hw.requires_grad
        weight = visible.memory_encoder.key.weight
        (gradient,) = torch.autograd.grad(differentiable.track(1).logits_hw.sum(), weight)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("act", ["correct", "track", "remove"])
def test_unknown_object_lists_the_known_ones(loop: ReferenceLoop, click: Click, act: str) -> None:
    arguments = (click(0.5, 0.5),) if act == "correct" else ()
    with pytest.raises(UnknownNameError, match="unknown object 9; known: 1"):
        getattr(loop, act)(9, *arguments)
    assert list(loop.objects) == [1]


@pytest.mark.parametrize(
    ("image_bchw", "message"),
    [
        (torch.zeros(1, 3, 240, 240), r"torch.float32 \[1, 3, 240, 240\]; give torch.uint8"),
        (torch.zeros(1, 3, 240, 288, dtype=torch.uint8), r"\[1, 3, 240, 288\]"),
        (torch.zeros(2, 3, 240, 240, dtype=torch.uint8), r"\[2, 3, 240, 240\]"),
        (torch.zeros(3, 240, 240, dtype=torch.uint8), r"\[3, 240, 240\]"),
        (torch.zeros((), dtype=torch.uint8), r"\[\]"),
        (torch.zeros(1, 3, 256, 256, dtype=torch.uint8), "unknown rung 256; known: 240, 288"),
    ],
)
def test_bad_image_is_refused(loop: ReferenceLoop, image_bchw: Tensor, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        loop.start_frame(image_bchw)
    assert (loop.objects[1].bank.age_n == 0).all()


def test_bad_prompt_changes_nothing(loop: ReferenceLoop, click: Click) -> None:
    before = loop.objects[1].bank
    xy_norm_bpc, label_bp, bias_b11p = click(0.5, 0.5)
    with pytest.raises(
        PromptError, match=r"prompt_xy_norm_bpc is \[1, 7, 2\]; expected \[1, 8, 2\]"
    ):
        loop.prompt(1, (xy_norm_bpc[:, :7], label_bp, bias_b11p))
    with pytest.raises(PromptError, match=r"mask_prompt_b1hw is \[1, 1, 72, 72\]; expected"):
        loop.prompt(2, click(), torch.zeros(1, 1, 72, 72))
    assert equal(loop.objects[1].bank, before)
    assert list(loop.objects) == [1]
