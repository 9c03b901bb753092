"""Which candidate becomes a mask, by the published rules."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sam2lite.models.contest import Contest, by_iou, by_the_rules
from sam2lite.models.sam2.reference.choosing import ABSENT_LOGIT, Candidates, chosen

IOUS = (0.9, 0.2, 0.7, 0.5)  # the first candidate is for prompts that leave no doubt


def candidates(first_hw: Tensor, score: float = 1.0) -> Candidates:
    logits = torch.stack([first_hw, *(torch.full((4, 4), float(m)) for m in (1, 2, 3))])
    pointers = torch.arange(4.0)[:, None].expand(4, 256)
    return Candidates(logits[None], torch.tensor([IOUS]), torch.tensor([[score]]), pointers[None])


def stable() -> Tensor:
    return torch.where(torch.arange(16).reshape(4, 4) < 8, 5.0, -5.0)


def unstable() -> Tensor:
    edge = stable()
    edge[3, 3] = 0.0  # between the two offsets, so one pixel of nine
    return edge


@pytest.mark.parametrize("prompted", [0, 1])
def test_a_prompt_that_leaves_doubt_takes_the_best_of_three(prompted: int) -> None:
    found = chosen(candidates(stable()), prompted, 1, by_the_rules)
    assert found.logits_hw[0, 0] == 2.0
    assert found.iou == pytest.approx(0.7)
    assert found.pointer_bc[0, 0] == 2


def test_others_take_the_first_while_it_is_stable() -> None:
    found = chosen(candidates(stable()), 2, 1, by_the_rules)
    assert torch.equal(found.logits_hw, stable())
    assert found.iou == pytest.approx(0.9)


def test_an_unstable_mask_gives_way_and_its_pointer_stays() -> None:
    found = chosen(candidates(unstable()), 2, 1, by_the_rules)
    assert found.logits_hw[0, 0] == 2.0
    assert found.iou == pytest.approx(0.7)
    assert found.pointer_bc[0, 0] == 0


def test_an_empty_mask_is_stable() -> None:
    empty = torch.full((4, 4), -1.0)
    assert torch.equal(chosen(candidates(empty), 3, 1, by_the_rules).logits_hw, empty)


@pytest.mark.parametrize(("score", "there"), [(1e-6, True), (0.0, False), (-2.0, False)])
def test_an_absent_object_has_no_pixel(score: float, there: bool) -> None:
    logits = chosen(candidates(stable(), score), 0, 1, by_the_rules).logits_hw
    assert bool((logits == ABSENT_LOGIT).all()) != there


def contest_of(first_hw: Tensor, prompted: int) -> Contest:
    """Return what is asked; the last candidate is taken, and is what is shown then."""
    asked: list[Contest] = []

    def last(contest: Contest) -> int:
        asked.append(contest)
        return len(contest.losses_m) - 1

    found = chosen(candidates(first_hw), prompted, 7, last)
    assert found.logits_hw[0, 0] == 3.0
    assert found.pointer_bc[0, 0] == (3 if prompted < 2 else 0)
    (contest,) = asked
    assert contest.object_id == 7
    assert len(contest.logits_mhw) == len(contest.losses_m)
    return contest


def losses(contest: Contest) -> list[tuple[str, Any]]:
    return [(loss.measure, pytest.approx(loss.margin)) for loss in contest.losses_m]


def test_the_first_of_equals_wins() -> None:
    assert by_iou(1, torch.tensor([0.5, 0.7, 0.7]), torch.zeros(3, 4, 4)).winner == 1


def test_where_there_is_doubt_others_lose_by_predicted_iou() -> None:
    contest = contest_of(stable(), 1)
    assert contest.logits_mhw[:, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert contest.winner == 1
    iou = "predicted IoU"
    assert losses(contest) == [(iou, 0.5), (iou, 0.0), (iou, 0.2)]


def test_all_lose_to_a_stable_mask_by_its_stability() -> None:
    contest = contest_of(stable(), 2)
    assert contest.winner == 0
    assert losses(contest)[1:] == [("stability", 0.02)] * 3


def test_an_unstable_mask_loses_by_its_stability_and_others_by_predicted_iou() -> None:
    contest = contest_of(unstable(), 2)
    assert contest.winner == 2
    stability, worst, _, last = losses(contest)
    assert stability == ("stability", 0.98 - 8 / 9)
    assert (worst, last) == (("predicted IoU", 0.5), ("predicted IoU", 0.2))


@pytest.mark.parametrize(
    ("edge", "tied"),
    [
        (0.0, False),  # of nine cells, one is between the offsets, and stays there
        (0.0495, True),  # it may be inside: then all nine are
        (-0.0495, True),  # or outside: then eight of eight are
    ],
)
def test_stability_is_tied_where_rounding_decides(edge: float, tied: bool) -> None:
    mask = stable()
    mask[3, 3] = edge
    loss = contest_of(mask, 2).losses_m[0]
    assert (loss.margin <= loss.tie) == tied
