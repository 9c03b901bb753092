"""Choices that a bundle makes otherwise than PyTorch: told from its masks, counted, followed."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from sam2lite.exporter.verify.choices import ChoiceCount, Choices
from sam2lite.models.contest import Contest, Loss, by_iou


def three() -> Tensor:
    return torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("iou_m", "taken", "expected", "flip"),
    [
        ((0.4176, 0.3985, 0.4177), 0, 0, 1e-4),
        ((0.4176, 0.3985, 0.4177), 2, 2, None),
        ((0.4176, 0.3985, 0.4177), 1, 2, 0.0192),  # no tie: the bundle is wrong, or less precise
        ((0.5, 0.3, 0.5), 0, 0, None),  # the first of equals
        ((0.5, 0.3, 0.5), 2, 2, 0.0),
        ((0.5, float("nan"), 0.4), 2, 1, None),  # the object is lost in PyTorch
    ],
)
def test_a_candidate_as_good_as_the_best_is_followed(
    iou_m: tuple[float, ...], taken: int, expected: int, flip: float | None
) -> None:
    logits_mhw = three()
    count = ChoiceCount()
    contest = by_iou(1, torch.tensor(iou_m), logits_mhw)
    assert count.taken(contest, (logits_mhw[taken] + 1e-3).numpy()) == expected
    ((measure, found),) = count.by_measure.items()
    assert (measure, found.made) == ("predicted IoU", 1)
    assert found.flipped == (flip is not None)
    assert found.tied == (flip is not None and taken == expected)
    assert found.smallest_flip == found.largest_flip == pytest.approx(flip, abs=1e-6)


def test_a_flip_counts_for_what_its_candidate_loses_by() -> None:
    logits_mhw = three()
    losses = [Loss("stability", 0.015, 0.001), Loss("predicted IoU", 0.0, 1e-3)]
    contest = Contest(1, logits_mhw, 1, [*losses, Loss("predicted IoU", 0.0005, 1e-3)])
    count = ChoiceCount()
    assert [count.taken(contest, each.numpy()) for each in logits_mhw] == [1, 1, 2]
    assert count.by_measure == {
        "stability": Choices(3, 1, 0, 0.015, 0.015),
        "predicted IoU": Choices(3, 1, 1, 0.0005, 0.0005),
    }


def test_the_smallest_and_the_largest_flip_are_kept() -> None:
    choices = Choices(made=5)
    for by, tied in ((0.02, False), (5e-4, True), (0.3, False)):
        choices.add_flip(by, tied)
    assert choices == Choices(5, 3, 1, 5e-4, 0.3)
    total = ChoiceCount({"stability": Choices(made=2)})
    total.add({"stability": choices, "predicted IoU": Choices(made=4)})
    total.add({"stability": Choices(1, 1, 0, 0.4, 0.4)})
    assert dataclasses.asdict(total)["by_measure"] == {
        "stability": vars(Choices(8, 4, 1, 5e-4, 0.4)),
        "predicted IoU": vars(Choices(made=4)),
    }


def test_a_blanked_mask_says_nothing_of_the_choice() -> None:
    logits_mhw, iou_m = three(), torch.tensor([0.1, 0.2, 0.3])
    for blanked in (np.full((4, 4), -1024.0, np.float32), np.full((4, 4), np.nan, np.float32)):
        count = ChoiceCount()
        assert count.taken(by_iou(1, iou_m, logits_mhw), blanked) == 2
        both = torch.from_numpy(np.stack([blanked] * 3))
        assert count.taken(by_iou(1, iou_m, both), blanked) == 2
        assert count.by_measure["predicted IoU"].flipped == 0
