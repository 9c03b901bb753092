import dataclasses
import math

import pytest
import torch

from sam2lite.errors import UnknownNameError
from sam2lite.training import losses
from sam2lite.training.losses import LossWeights, decoding_loss
from sam2lite.training.rollout import Decoded

TARGET = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
LOGITS = torch.tensor([[[[0.0, 0.0], [math.log(3), 0.0]]]])  # probabilities .5 .5 .75 .5


def test_terms_by_hand() -> None:
    half, quarter = math.log(2), -math.log(0.25)
    assert losses.bce(LOGITS, TARGET).item() == pytest.approx((3 * half + quarter) / 4)
    # overlap .5, total 2.25 + 1
    assert losses.dice(LOGITS, TARGET).item() == pytest.approx(1 - (2 * 0.5 + 1) / (3.25 + 1))
    # union 2.25 + 1 - .5
    assert losses.soft_iou(LOGITS, TARGET).item() == pytest.approx(1 - (0.5 + 1) / (2.75 + 1))
    focal = (0.25 * 0.25 * half + 0.75 * (2 * 0.25 * half + 0.5625 * quarter)) / 4
    assert losses.focal(LOGITS, TARGET).item() == pytest.approx(focal)
    # differences -.5 .5 / .75 .5: vertical 1.25, 0; horizontal 1, -.25; the target's own: 1 and 1
    edge = (1.25**2 + 1.0 + 0.25**2) / (2 + 1)
    assert losses.edge(LOGITS, TARGET).item() == pytest.approx(edge)


@pytest.mark.parametrize("name", losses.MASK_TERMS)
def test_terms_vanish_at_the_target(name: str) -> None:
    logits = (TARGET - 0.5) * 80
    assert losses.MASK_TERMS[name](logits, TARGET).item() == pytest.approx(0.0, abs=1e-6)


def decoded(logits_nmhw: torch.Tensor, score: float = 0.0, prompted: bool = True) -> Decoded:
    count = len(logits_nmhw)
    return Decoded(
        0,
        prompted,
        logits_nmhw,
        torch.full(logits_nmhw.shape[:2], 0.5),
        torch.full((count, 1), score),
        torch.zeros(count, 4, 256),
        TARGET[:, 0].expand(count, -1, -1),
        torch.ones(count, dtype=torch.bool),
    )


def test_the_best_candidate_counts_more_after_a_prompt() -> None:
    good, bad = (TARGET - 0.5) * 8, (0.5 - TARGET) * 8
    both = torch.cat([bad, good], dim=1)
    weights = LossWeights(bce=1.0)
    best, worst = losses.bce(good, TARGET).item(), losses.bce(bad, TARGET).item()
    prompted = decoding_loss(decoded(both), weights)["bce"].item()
    assert prompted == pytest.approx(0.8 * best + 0.2 * (best + worst) / 2)
    tracked = decoding_loss(decoded(both, prompted=False), weights)["bce"].item()
    assert tracked == pytest.approx((best + worst) / 2)


def test_absent_objects_have_no_mask_loss() -> None:
    seen = decoded(LOGITS, score=1.0)
    weights = LossWeights(bce=1.0, iou_score=1.0, object_score=1.0)
    terms = decoding_loss(dataclasses.replace(seen, target_nhw=torch.zeros(1, 2, 2)), weights)
    assert terms["bce"] == 0
    assert terms["iou_score"] == 0
    assert terms["object_score"].item() == pytest.approx(math.log(1 + math.e))


def test_frames_without_labels_count_for_nothing() -> None:
    both = torch.cat([LOGITS, LOGITS + 2.0])
    half = dataclasses.replace(decoded(both), known_n=torch.tensor([True, False]))
    weights = losses.PRESETS["sam2lite"]
    expected = decoding_loss(decoded(LOGITS), weights)
    for name, term in decoding_loss(half, weights).items():
        assert term.item() == pytest.approx(expected[name].item()), name
    none = dataclasses.replace(half, known_n=torch.tensor([False, False]))
    assert not any(term.any() for term in decoding_loss(none, weights).values())


def test_the_budget_has_a_gradient_and_a_bound() -> None:
    scores = torch.full((10,), 0.9, requires_grad=True)
    over = losses.budget([scores], tokens=5)
    assert over.item() == pytest.approx((9 / 5 - 1) ** 2 + 0.009)
    over.backward()
    assert scores.grad is not None
    assert (scores.grad > 0).all()
    assert losses.budget([torch.full((10,), 0.4)], tokens=5).item() == pytest.approx(0.004)


def test_presets() -> None:
    assert losses.loss_weights("paper").attention == 1.0
    assert losses.loss_weights("methodology").budget == 0.0
    with pytest.raises(UnknownNameError, match="sam2lite"):
        losses.loss_weights("papper")


def test_a_preset_less_some_terms() -> None:
    preset = losses.PRESETS["sam2lite"]
    less = losses.loss_weights("sam2lite-edge-attention")
    assert less == dataclasses.replace(preset, edge=0.0, attention=0.0)
    with pytest.raises(UnknownNameError, match=r"loss term 'edges'; known: bce, .*teacher_mask"):
        losses.loss_weights("sam2lite-edges")


def test_without_mask_terms_nothing_of_the_truth_is_learned() -> None:
    weights = losses.loss_weights("sam2lite-bce-dice-edge-iou_score-object_score")
    terms = decoding_loss(decoded(LOGITS, score=1.0), weights)
    assert not any(term.any() for term in terms.values())
