import dataclasses

import pytest
import torch

from sam2lite.contracts.families.sam2lite import TOKENS_PER_FRAME
from sam2lite.contracts.loop import WINDOW_MAX
from sam2lite.models.sam2lite.memory_select import MemorySelect
from sam2lite.models.sam2lite.reference.bank import Bank

BUDGET = 256


@dataclasses.dataclass
class Filler:
    """Stores frames of made-up tokens, numbered by their first key channel."""

    select: MemorySelect
    bank: Bank
    stored: int = 0

    def store(self, *, anchor: bool = False, uncertainty: float = 0.5) -> None:
        generator = torch.Generator().manual_seed(self.stored)
        key, value = torch.randn(2, 1, TOKENS_PER_FRAME, 256, generator=generator)
        key[..., 0] = self.stored
        uncertainty_bn = torch.full((1, TOKENS_PER_FRAME), uncertainty)
        ordinal = self.stored
        new = Bank.of_frame(key, value, uncertainty_bn, ordinal=ordinal, motion=0.25, anchor=anchor)
        self.bank = self.bank.aged().stored_with(new, self.stored, self.select)
        self.stored += 1

    def ordinals(self, *, anchors: bool) -> dict[int, int]:
        """Count the valid tokens of each stored frame."""
        chosen = self.bank.ordinal_n[self.bank.valid_n & (self.bank.anchor_n == anchors)]
        values, counts = torch.unique(chosen, return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))


@pytest.fixture
def filler() -> Filler:
    torch.manual_seed(0)
    return Filler(MemorySelect(), Bank.empty(BUDGET, torch.device("cpu")))


def test_new_bank_is_empty(filler: Filler) -> None:
    assert not filler.bank.valid_n.any()
    assert not filler.bank.seen(0, WINDOW_MAX).any()
    assert all((column == 0).all() for column in filler.bank)
    assert filler.bank.key_nc.shape == (BUDGET, 256)


def test_age_is_logarithmic_and_saturates(filler: Filler) -> None:
    ages = torch.tensor([0, 1, 15, 255, 256, 100_000]).repeat(43)[:BUDGET]
    expected = torch.tensor([0.0, 0.125, 0.5, 1.0, 1.0, 1.0])
    aged = filler.bank._replace(age_n=ages)
    torch.testing.assert_close(aged.normalised_age()[:6], expected, atol=1e-6, rtol=0)


def test_stored_tokens_carry_their_columns(filler: Filler) -> None:
    filler.store(anchor=True, uncertainty=0.75)
    filler.store()
    bank = filler.bank
    assert filler.ordinals(anchors=True) == {0: 32}
    assert filler.ordinals(anchors=False) == {1: 32}
    valid = bank.valid_n
    assert torch.equal(bank.key_nc[valid][:, 0].long(), bank.ordinal_n[valid])
    first = valid & (bank.ordinal_n == 0)
    assert (bank.age_n[first] == 1).all()
    assert (bank.age_n[valid & ~first] == 0).all()
    assert (bank.uncertainty_n[first] == 0.75).all()
    assert (bank.motion_n[valid] == 0.25).all()
    expected = torch.tensor([0.125, 0.25, 0.75, 1.0, 1.0])
    torch.testing.assert_close(bank.meta()[0, first], expected.expand(32, 5), atol=1e-6, rtol=0)


def test_frames_leave_the_longest_window(filler: Filler) -> None:
    for _ in range(12):
        filler.store()
    assert filler.ordinals(anchors=False) == dict.fromkeys(range(4, 12), 32)


def test_window_hides_older_frames_but_not_anchors(filler: Filler) -> None:
    filler.store(anchor=True)
    for _ in range(5):
        filler.store()
    for window, expected in ((WINDOW_MAX, {0, 1, 2, 3, 4, 5}), (2, {0, 4, 5}), (3, {0, 3, 4, 5})):
        seen = filler.bank.seen(filler.stored, window)
        assert set(filler.bank.ordinal_n[seen].tolist()) == expected
    assert not (filler.bank.seen(filler.stored, 8) & ~filler.bank.valid_n).any()


def test_anchors_outlive_tracked_frames(filler: Filler) -> None:
    filler.store(anchor=True)
    for _ in range(10):
        filler.store()
    assert filler.ordinals(anchors=True) == {0: 32}
    tracked = filler.ordinals(anchors=False)
    assert sum(tracked.values()) == BUDGET - 32
    assert min(tracked) >= 3


def test_first_prompt_and_newest_anchors_stay(filler: Filler) -> None:
    for _ in range(4):
        filler.store(anchor=True)
    assert set(filler.ordinals(anchors=True)) == {0, 1, 2, 3}
    filler.store()
    filler.store(anchor=True)
    assert filler.ordinals(anchors=True) == {0: 32, 2: 32, 3: 32, 5: 32}
    filler.store(anchor=True)
    assert filler.ordinals(anchors=True) == {0: 32, 3: 32, 5: 32, 6: 32}
    assert filler.ordinals(anchors=False) == {4: 32}


def test_invalid_slots_are_not_anchors_any_more(filler: Filler) -> None:
    for _ in range(4):
        filler.store(anchor=True)
    filler.bank = filler.bank.without(filler.bank.ordinal_n == 3)
    filler.store(anchor=True)
    assert set(filler.ordinals(anchors=True)) == {0, 1, 2, 4}
