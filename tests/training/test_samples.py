import numpy as np
import pytest
import torch

from sam2lite.contracts.loop import (
    LABEL_BOX_BOTTOM_RIGHT,
    LABEL_BOX_TOP_LEFT,
    LABEL_NEGATIVE,
    LABEL_PAD,
    LABEL_POSITIVE,
    MASKED_BIAS,
)
from sam2lite.training import prompts
from sam2lite.training.batches import Batch, BatchShape, make_batch, prompt_bias
from sam2lite.training.samples import draw_sample
from sam2lite.training.sources import generated_clip


def disk(side: int = 64, radius: int = 12, x: int = 40, y: int = 20) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def under(xy_norm: np.ndarray, mask_hw: np.ndarray) -> bool:
    x, y = (xy_norm * mask_hw.shape[::-1]).astype(int)
    return bool(mask_hw[y, x])


def test_the_centre_click_is_the_deepest_point() -> None:
    slots, masked = prompts.draw_prompt(np.random.default_rng(0), disk(), prompts.CENTRE_CLICK)
    assert not masked
    assert np.allclose(slots.xy_norm_pc[0] * 64, (40.5, 20.5), atol=1.0)
    assert slots.label_p.tolist() == [LABEL_POSITIVE] + [LABEL_PAD] * 7


@pytest.mark.parametrize("seed", range(10))
def test_clicks_are_on_the_side_that_their_label_says(seed: int) -> None:
    slots, _ = prompts.draw_prompt(np.random.default_rng(seed), disk(), prompts.SEVERAL_CLICKS)
    used = slots.label_p != LABEL_PAD
    assert 2 <= used.sum() <= prompts.MOST_CLICKS
    for xy, label in zip(slots.xy_norm_pc[used], slots.label_p[used], strict=True):
        assert label in (LABEL_POSITIVE, LABEL_NEGATIVE)
        assert under(xy, disk()) == (label == LABEL_POSITIVE)


def test_boxes_lie_about_the_object() -> None:
    exact = np.array([[28, 8], [53, 33]]) / 64
    corners = []
    for seed in range(40):
        slots, _ = prompts.draw_prompt(np.random.default_rng(seed), disk(), prompts.BOX)
        assert slots.label_p[:3].tolist() == [
            LABEL_BOX_TOP_LEFT,
            LABEL_BOX_BOTTOM_RIGHT,
            LABEL_PAD,
        ]
        assert (slots.xy_norm_pc[0] <= slots.xy_norm_pc[1]).all()
        corners.append(slots.xy_norm_pc[:2])
    error = np.abs(np.array(corners) - exact)
    assert (error.max(axis=(1, 2)) < 1e-6).any()
    assert 0.01 < error.mean() < 0.1


def test_a_mask_prompt_leaves_the_slots_empty() -> None:
    slots, masked = prompts.draw_prompt(np.random.default_rng(0), disk(), prompts.MASK)
    assert masked
    assert (slots.label_p == LABEL_PAD).all()


def test_targets_are_seen_in_the_first_frame() -> None:
    rng = np.random.default_rng(1)
    sample = None
    while sample is None:
        sample = draw_sample(rng, generated_clip(rng, 96, 4), 3)
    assert sample.image_tchw.shape == (4, 3, 96, 96)
    assert 1 <= len(sample.mask_nthw) <= 3
    assert sample.mask_nthw.shape[1:] == (4, 24, 24)
    assert (sample.mask_nthw[:, 0].reshape(len(sample.mask_nthw), -1).sum(axis=1) > 255).all()


def test_a_clip_without_objects_gives_no_sample() -> None:
    clip = generated_clip(np.random.default_rng(0), 96, 2)
    clip.labels_thw[:] = 0
    assert draw_sample(np.random.default_rng(0), clip, 2) is None


def test_a_batch_is_a_function_of_its_seed() -> None:
    shape = BatchShape(96, 2, 2, 2)
    first, again, other = (make_batch((seed, 1), shape) for seed in (1, 1, 2))
    for name in Batch.__dataclass_fields__:
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.equal(first.image_ctchw, other.image_ctchw)
    assert first.clip_n.tolist() == sorted(first.clip_n.tolist())


def test_unused_slots_are_hidden() -> None:
    bias = prompt_bias(torch.tensor([[LABEL_POSITIVE, LABEL_PAD]]))
    assert bias.tolist() == [[[[0.0, MASKED_BIAS]]]]
