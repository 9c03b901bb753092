"""Which candidate becomes a mask, by the published rules."""

import pytest
import torch
from torch import Tensor

from sam2lite.models.sam2.reference.choosing import ABSENT_LOGIT, Candidates, best, chosen

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
    found = chosen(candidates(stable()), prompted, 1, best)
    assert found.logits_hw[0, 0] == 2.0
    assert found.iou == pytest.approx(0.7)
    assert found.pointer_bc[0, 0] == 2


def test_others_take_the_first_while_it_is_stable() -> None:
    found = chosen(candidates(stable()), 2, 1, best)
    assert torch.equal(found.logits_hw, stable())
    assert found.iou == pytest.approx(0.9)


def test_an_unstable_mask_gives_way_and_its_pointer_stays() -> None:
    found = chosen(candidates(unstable()), 2, 1, best)
    assert found.logits_hw[0, 0] == 2.0
    assert found.iou == pytest.approx(0.7)
    assert found.pointer_bc[0, 0] == 0


def test_an_empty_mask_is_stable() -> None:
    empty = torch.full((4, 4), -1.0)
    assert torch.equal(chosen(candidates(empty), 3, 1, best).logits_hw, empty)


@pytest.mark.parametrize(("score", "there"), [(1e-6, True), (0.0, False), (-2.0, False)])
def test_an_absent_object_has_no_pixel(score: float, there: bool) -> None:
    logits = chosen(candidates(stable(), score), 0, 1, best).logits_hw
    assert bool((logits == ABSENT_LOGIT).all()) != there


def test_of_equals_the_first_and_a_choice_of_the_callers() -> None:
    assert best(1, torch.tensor([0.5, 0.7, 0.7]), torch.zeros(3, 4, 4)) == 1
    asked: list[tuple[int, Tensor, list[float]]] = []

    def last(object_id: int, iou_m: Tensor, logits_mhw: Tensor) -> int:
        asked.append((object_id, iou_m, logits_mhw[:, 0, 0].tolist()))
        return 2

    found = chosen(candidates(stable()), 1, 7, last)
    assert found.logits_hw[0, 0] == 3.0
    assert found.pointer_bc[0, 0] == 3
    ((object_id, iou_m, logits),) = asked
    assert (object_id, logits) == (7, [1.0, 2.0, 3.0])
    assert torch.equal(iou_m, torch.tensor(IOUS[1:]))
