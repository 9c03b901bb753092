import copy

import pytest
import torch
from torch import Tensor

from sam2lite.contracts.families.sam2lite import MASK_DECODER
from sam2lite.contracts.loop import (
    LABEL_BOX_BOTTOM_RIGHT,
    LABEL_BOX_TOP_LEFT,
    LABEL_NEGATIVE,
    LABEL_PAD,
    LABEL_POSITIVE,
    MASKED_BIAS,
)
from sam2lite.exporter.onnx.trace import example_inputs
from sam2lite.models.sam2lite.blocks import (
    FewQueriesAttention,
    attend,
    map_from_tokens,
    merge_heads,
    patches,
    split_heads,
    sub_pixel,
    tokens_from_map,
)
from sam2lite.models.sam2lite.network import Sam2Lite

Inputs = dict[str, Tensor]


@pytest.fixture
def inputs(tiny: Sam2Lite) -> Inputs:
    """Half of the memory slots and half of the prompt slots are seen, without a mask prompt."""
    spec = MASK_DECODER.bind(tiny.config.dims(240))
    values = dict(zip(spec.input_names, example_inputs(spec), strict=True))
    half = torch.arange(8) % 2
    values["prompt_bias_b11p"] = MASKED_BIAS * half.float()[None, None, None]
    values["mask_prompt_flag_b111"] = torch.zeros(1, 1, 1, 1)
    return values


def decode(model: Sam2Lite, inputs: Inputs, **changed: Tensor) -> list[Tensor]:
    return list(model.mask_decoder(*{**inputs, **changed}.values()))


def differs(first: list[Tensor], second: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(first, second, strict=True))


def test_hidden_memory_slots_have_no_influence(tiny: Sam2Lite, inputs: Inputs) -> None:
    hidden_n = inputs["memory_bias_b11n"][0, 0, 0] < 0
    assert 0 < hidden_n.sum() < len(hidden_n)
    before = decode(tiny, inputs)
    key, value = inputs["memory_key_bnc"].clone(), inputs["memory_value_bnc"].clone()
    age = inputs["memory_age_bn"].clone()
    key[:, hidden_n] *= -3.0
    value[:, hidden_n] += 100.0
    age[:, hidden_n] = 0.9
    changed = {"memory_key_bnc": key, "memory_value_bnc": value, "memory_age_bn": age}
    assert differs(before, decode(tiny, inputs, **changed)) == 0.0
    seen = {"memory_bias_b11n": torch.zeros_like(inputs["memory_bias_b11n"])}
    assert differs(before, decode(tiny, inputs, **seen)) > 1e-3


def test_padded_prompt_slots_have_no_influence(tiny: Sam2Lite, inputs: Inputs) -> None:
    hidden_p = inputs["prompt_bias_b11p"][0, 0, 0] < 0
    before = decode(tiny, inputs)
    xy, label = inputs["prompt_xy_norm_bpc"].clone(), inputs["prompt_label_bp"].clone()
    xy[:, hidden_p] = 0.5
    label[:, hidden_p] = LABEL_PAD
    padded = decode(tiny, inputs, prompt_xy_norm_bpc=xy, prompt_label_bp=label)
    assert differs(before, padded) <= 1e-6


@pytest.mark.parametrize("name", ["memory_key_bnc", "memory_value_bnc", "memory_age_bn"])
def test_seen_memory_matters(tiny: Sam2Lite, inputs: Inputs, name: str) -> None:
    flipped = {name: 1.0 - inputs[name]}
    assert differs(decode(tiny, inputs), decode(tiny, inputs, **flipped)) > 1e-4


def test_place_and_label_of_a_click_matter(tiny: Sam2Lite, inputs: Inputs) -> None:
    positive = torch.full_like(inputs["prompt_label_bp"], LABEL_POSITIVE)
    before = decode(tiny, inputs, prompt_label_bp=positive)
    moved = {"prompt_xy_norm_bpc": 1.0 - inputs["prompt_xy_norm_bpc"], "prompt_label_bp": positive}
    negative = torch.full_like(positive, LABEL_NEGATIVE)
    assert differs(before, decode(tiny, inputs, **moved)) > 1e-3
    assert differs(before, decode(tiny, inputs, prompt_label_bp=negative)) > 1e-3


def test_order_of_memory_slots_does_not_matter(tiny: Sam2Lite, inputs: Inputs) -> None:
    order = torch.randperm(tiny.config.budget, generator=torch.Generator().manual_seed(2))
    shuffled = {
        "memory_key_bnc": inputs["memory_key_bnc"][:, order],
        "memory_value_bnc": inputs["memory_value_bnc"][:, order],
        "memory_age_bn": inputs["memory_age_bn"][:, order],
        "memory_bias_b11n": inputs["memory_bias_b11n"][..., order],
    }
    assert differs(decode(tiny, inputs), decode(tiny, inputs, **shuffled)) < 1e-4


def test_empty_bank_is_a_valid_one(tiny: Sam2Lite, inputs: Inputs) -> None:
    empty = {"memory_bias_b11n": torch.full_like(inputs["memory_bias_b11n"], MASKED_BIAS)}
    outputs = decode(tiny, inputs, **empty)
    assert all(tensor.isfinite().all() for tensor in outputs)
    zeros = {
        "memory_key_bnc": torch.zeros_like(inputs["memory_key_bnc"]),
        "memory_value_bnc": torch.zeros_like(inputs["memory_value_bnc"]),
    }
    assert differs(outputs, decode(tiny, inputs, **empty, **zeros)) == 0.0


def test_mask_prompt_counts_only_with_its_flag(tiny: Sam2Lite, inputs: Inputs) -> None:
    other = {"mask_prompt_b1hw": -inputs["mask_prompt_b1hw"]}
    flag = {"mask_prompt_flag_b111": torch.ones(1, 1, 1, 1)}
    assert differs(decode(tiny, inputs), decode(tiny, inputs, **other)) <= 1e-6
    given = decode(tiny, inputs, **flag)
    assert differs(given, decode(tiny, inputs, **flag, **other)) > 1e-3
    assert differs(given, decode(tiny, inputs)) > 1e-3


def test_candidates_differ_and_ious_are_probabilities(tiny: Sam2Lite, inputs: Inputs) -> None:
    logits_bmhw, iou_bm, _, pointer_bmc = decode(tiny, inputs)
    assert ((iou_bm > 0) & (iou_bm < 1)).all()
    assert torch.cdist(logits_bmhw[0].flatten(1), logits_bmhw[0].flatten(1)).triu(1).max() > 0.1
    assert torch.pdist(pointer_bmc[0]).min() > 1e-3


def test_few_queries_attention_equals_projected_keys_and_values() -> None:
    dim, inner, heads = 12, 8, 2
    attention = FewQueriesAttention(dim, inner, heads)
    generator = torch.Generator().manual_seed(3)
    q_bqc = torch.randn(2, 3, dim, generator=generator)
    k_bnc, v_bnc = torch.randn(2, 2, 9, dim, generator=generator).unbind(0)

    # Key projections are slices of k's weight; v's weight is value and output projection in one.
    key_weights = attention.k.weight.reshape(heads, dim, inner // heads)
    value_weights = attention.v.weight.reshape(dim, heads, dim)
    expected_bqc = attention.v.bias.expand(2, 3, -1)
    for head in range(heads):
        query = (attention.q(q_bqc) / (inner // heads) ** 0.5).chunk(heads, dim=-1)[head]
        weights_bqn = torch.softmax(query @ (k_bnc @ key_weights[head]).transpose(1, 2), dim=-1)
        expected_bqc = expected_bqc + weights_bqn @ (v_bnc @ value_weights[:, head].T)
    torch.testing.assert_close(attention(q_bqc, k_bnc, v_bnc), expected_bqc, atol=1e-5, rtol=0)


def test_attend_equals_pytorch() -> None:
    generator = torch.Generator().manual_seed(4)
    q, k, v = torch.randn(3, 2, 4, 6, 5, generator=generator).unbind(0)
    bias = torch.zeros(2, 1, 1, 6)
    bias[..., 4:] = MASKED_BIAS
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, bias, scale=1.0)
    torch.testing.assert_close(attend(q, k, v, bias), expected, atol=1e-6, rtol=1e-5)


def test_reshapings_undo_each_other() -> None:
    x_bnc = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(5))
    assert torch.equal(merge_heads(split_heads(x_bnc, 4)), x_bnc)
    assert torch.equal(tokens_from_map(map_from_tokens(x_bnc, 3, 4)), x_bnc)
    assert torch.equal(map_from_tokens(x_bnc, 3, 4)[0, :, 1, 2], x_bnc[0, 6])


def test_sub_pixel_is_pixel_shuffle_with_the_quarters_first() -> None:
    x_bchw = torch.randn(2, 12, 3, 5, generator=torch.Generator().manual_seed(6))
    quarters_last = x_bchw.reshape(2, 4, 3, 3, 5).transpose(1, 2).reshape(2, 12, 3, 5)
    assert torch.equal(sub_pixel(x_bchw), torch.nn.functional.pixel_shuffle(quarters_last, 2))


def test_patches_are_pixel_unshuffle() -> None:
    x_b1hw = torch.randn(2, 1, 8, 12, generator=torch.Generator().manual_seed(7))
    assert torch.equal(patches(x_b1hw, 4), torch.nn.functional.pixel_unshuffle(x_b1hw, 4))


def box_slots(xyxy: tuple[float, float, float, float]) -> dict[str, Tensor]:
    """Return the slots of a box and nothing else."""
    label = torch.full((1, 8), LABEL_PAD, dtype=torch.int32)
    label[0, :2] = torch.tensor([LABEL_BOX_TOP_LEFT, LABEL_BOX_BOTTOM_RIGHT])
    xy = torch.full((1, 8, 2), 0.5)
    xy[0, :2] = torch.tensor(xyxy).reshape(2, 2)
    bias = torch.full((1, 1, 1, 8), MASKED_BIAS)
    bias[..., :2] = 0.0
    return {"prompt_xy_norm_bpc": xy, "prompt_label_bp": label, "prompt_bias_b11p": bias}


BOXES = [(0.2, 0.3, 0.5, 0.6), (0.0, 0.0, 1.0, 1.0), (0.9, 0.1, 1.0, 0.2)]


def test_what_is_not_finite_stays_so_within_a_box(tiny: Sam2Lite, inputs: Inputs) -> None:
    broken = copy.deepcopy(tiny)
    with torch.no_grad():
        broken.mask_decoder.upsampler.last.weight.fill_(float("inf"))
    assert not decode(broken, inputs, **box_slots(BOXES[0]))[0].isfinite().all()


@pytest.mark.parametrize("xyxy", BOXES)
def test_no_candidate_has_mass_far_outside_a_box(
    tiny: Sam2Lite, inputs: Inputs, xyxy: tuple[float, float, float, float]
) -> None:
    covering = copy.deepcopy(tiny)
    with torch.no_grad():
        covering.mask_decoder.hyper.last.bias.add_(10.0)  # candidates that would cover much
    slots = box_slots(xyxy)
    free = without_window(covering, inputs, slots)
    decoded = decode(covering, inputs, **slots)[0]
    side = decoded.shape[-1]
    centres = (torch.arange(side) + 0.5) / side
    corners = torch.tensor(xyxy).reshape(2, 2)
    far = 0.1 * (corners[1] - corners[0]) + 2.1 / side
    inside = between(centres, corners[0], corners[1])
    outside = ~between(centres, corners[0] - far, corners[1] + far)
    assert (free[..., inside] > 0.0).any()
    assert not (decoded[..., outside] > 0.0).any()
    torch.testing.assert_close(decoded[..., inside], free[..., inside], rtol=0.0, atol=0.0)


def test_half_a_box_is_no_window(tiny: Sam2Lite, inputs: Inputs) -> None:
    slots = box_slots(BOXES[0])
    slots["prompt_bias_b11p"][..., 1] = MASKED_BIAS
    torch.testing.assert_close(
        decode(tiny, inputs, **slots)[0], without_window(tiny, inputs, slots), rtol=0.0, atol=0.0
    )


def between(centres: Tensor, low_xy: Tensor, high_xy: Tensor) -> Tensor:
    """Return which cells of a square grid lie in a window. Shape: bool `[n, n]`."""
    x, y = ((centres >= low_xy[axis]) & (centres <= high_xy[axis]) for axis in (0, 1))
    return y[:, None] & x[None, :]


def without_window(model: Sam2Lite, inputs: Inputs, slots: dict[str, Tensor]) -> Tensor:
    """Return the logits of the same prompt where the box closes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sam2lite.models.sam2lite.box_window.MARGIN", 1e6)
        return decode(model, inputs, **slots)[0]
