"""Which tokens a bank keeps under each policy, with memory_select's ranking made by hand."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.contracts import loop
from sam2lite.contracts.families import sam2lite as contract
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank
from sam2lite.runtimes.rules.sam2lite.pruning import POLICIES, Pruning
from sam2lite.runtimes.segmenter import VideoSegmenter

SLOTS = 256
TOKENS = contract.TOKENS_PER_FRAME
KEEPING_ANCHORS = sorted(set(POLICIES) - {"fifo"})


def store(bank: MemoryBank, uncertainty_n: np.ndarray, anchor: bool = False) -> None:
    """Store a frame as memory_select would rank it; the learned score prefers low tokens."""
    meta = bank.candidates(uncertainty_n[np.newaxis].astype(np.float32), 0.5, anchor)[0]
    score = 1.0 / (1.0 + np.concatenate([bank.columns["token"], np.arange(TOKENS)]))
    score += contract.ANCHOR_BONUS * meta[:, contract.META_ANCHOR]
    score += contract.INVALID_PENALTY * (1.0 - meta[:, contract.META_VALID])
    kept = np.argsort(-score, kind="stable")[np.newaxis, :SLOTS].astype(np.int32)
    bank.commit(bank.key, bank.value, kept)


def filled(policy: str, budget: int | None, frames: int, window: int | None = None) -> MemoryBank:
    """Return a bank after `frames`, the first of them an anchor."""
    bank = MemoryBank(SLOTS, Pruning(SLOTS, policy, budget, window))
    for frame in range(frames):
        bank.tick()
        uncertainty_n = np.random.default_rng(frame).random(TOKENS)
        store(bank, uncertainty_n, anchor=frame == 0)
    return bank


def frames_held(bank: MemoryBank) -> Counter[int]:
    """Count the valid tokens of each stored frame."""
    return Counter(bank.columns["ordinal"][bank.columns["valid"]].tolist())


def held(bank: MemoryBank) -> set[tuple[int, int]]:
    valid = bank.columns["valid"]
    ordinals, tokens = bank.columns["ordinal"][valid], bank.columns["token"][valid]
    return set(zip(ordinals.tolist(), tokens.tolist(), strict=True))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("budget", [32, 50, 64, 128, 256])
def test_a_full_bank_holds_exactly_its_budget(policy: str, budget: int) -> None:
    bank = filled(policy, budget, frames=12)
    assert bank.columns["valid"].sum() == budget
    assert len(held(bank)) == budget  # no token twice
    assert (bank.view(None)[1] == 0.0).sum() == budget


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_goes_while_there_is_room(policy: str) -> None:
    assert frames_held(filled(policy, None, frames=8)) == dict.fromkeys(range(8), TOKENS)


@pytest.mark.parametrize("policy", KEEPING_ANCHORS)
def test_tracked_frames_never_evict_the_first_prompt(policy: str) -> None:
    assert frames_held(filled(policy, 64, frames=40))[0] == TOKENS


def test_fifo_keeps_the_newest_frames_and_no_anchor() -> None:
    assert frames_held(filled("fifo", 128, frames=20)) == dict.fromkeys(range(16, 20), TOKENS)


def test_anchor_fifo_keeps_the_anchor_and_the_newest_frames() -> None:
    expected = dict.fromkeys((0, 17, 18, 19), TOKENS)
    assert frames_held(filled("anchor-fifo", 128, frames=20)) == expected


def test_a_budget_that_is_no_whole_frame_takes_part_of_the_oldest() -> None:
    assert frames_held(filled("fifo", 50, frames=20)) == {19: 32, 18: 18}


def test_uncertainty_keeps_the_surest_tokens_of_all_frames() -> None:
    bank = filled("uncertainty", 128, frames=20)
    seen = np.concatenate([np.random.default_rng(frame).random(TOKENS) for frame in range(1, 20)])
    tracked = bank.columns["valid"] & ~bank.columns["anchor"]
    expected = np.sort(np.round(seen * 1000))[:96]
    found = np.sort(np.round(bank.columns["uncertainty"][tracked] * 1000))
    np.testing.assert_array_equal(found, expected)


def test_of_equally_sure_tokens_the_newer_stay() -> None:
    bank = MemoryBank(SLOTS, Pruning(SLOTS, "uncertainty", 64, None))
    for noise in (1e-5, 3e-5, 2e-5):
        store(bank, np.full(TOKENS, 0.5 + noise))
    assert frames_held(bank) == {1: TOKENS, 2: TOKENS}


def test_random_is_seeded_and_spreads_over_frames() -> None:
    first, again = (filled("random", 128, frames=20) for _ in range(2))
    assert held(first) == held(again)
    assert len(frames_held(first)) > 4
    assert held(first) != held(filled("anchor-fifo", 128, frames=20))


def test_learned_keeps_the_best_of_a_smaller_budget() -> None:
    bank = filled("learned", 64, frames=20)
    tracked = bank.columns["valid"] & ~bank.columns["anchor"]
    assert set(bank.columns["token"][tracked].tolist()) <= {0, 1}  # what `store` scores highest


@pytest.mark.parametrize("policy", ["learned", "anchor-fifo"])
@pytest.mark.parametrize("window", [3, 8])
def test_a_window_drops_what_the_budget_would_keep(policy: str, window: int) -> None:
    bank = filled(policy, None, frames=20, window=window)
    assert set(frames_held(bank)) <= {0, *range(20 - window, 20)}


def test_without_a_window_old_frames_stay_in_sight() -> None:
    bank = filled("uncertainty", None, frames=20)
    assert min(frame for frame in frames_held(bank) if frame > 0) < 20 - loop.WINDOW_MAX
    assert (bank.view(None)[1] == 0.0).sum() == SLOTS
    assert (bank.view(8)[1] == 0.0).sum() < SLOTS


def test_anchors_take_at_most_half_of_the_budget() -> None:
    bank = MemoryBank(SLOTS, Pruning(SLOTS, "learned", 128, None))
    for frame in range(8):
        store(bank, np.zeros(TOKENS), anchor=frame < 6)
    assert frames_held(bank)[0] == frames_held(bank)[5] == TOKENS
    assert sum(frames_held(bank)[frame] for frame in range(1, 5)) == 0


def test_a_corrected_frame_keeps_its_place() -> None:
    bank = filled("anchor-fifo", 128, frames=10)
    bank.forget_last()
    store(bank, np.zeros(TOKENS), anchor=True)
    assert frames_held(bank) == dict.fromkeys((0, 7, 8, 9), TOKENS)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"'lifo'; known: learned, fifo, anchor-fifo, rand"):
        Pruning(SLOTS, "lifo")
    for budget in (0, 31, 257):
        with pytest.raises(ArgumentError, match=rf"is {budget} tokens; choose 32 .* to 256"):
            Pruning(SLOTS, budget=budget)
    for window in (0, 1, 9):
        with pytest.raises(ArgumentError, match=rf"is {window} stored frames; choose 2 to 8"):
            Pruning(SLOTS, window=window)


def frame_bgr(index: int) -> np.ndarray:
    """Texture that moves to the left."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 320, 3), np.uint8)
    return np.ascontiguousarray(noise[:, 4 * index : 4 * index + 160])


@pytest.fixture
def segmenter(tiny_bundle: Path) -> Iterator[VideoSegmenter]:
    with VideoSegmenter(
        str(tiny_bundle), rung=240, policy="random", tokens=64, window=None
    ) as segmenter:
        segmenter.prompt(frame_bgr(0), points=[(80, 60)])
        for index in range(5):
            segmenter.track(frame_bgr(index))
        yield segmenter


def test_a_saved_state_goes_on_with_the_policy_of_the_segmenter(
    segmenter: VideoSegmenter, tiny_bundle: Path, tmp_path: Path
) -> None:
    path = str(tmp_path / "state.npz")
    segmenter.save_state(path)
    expected = [segmenter.track(frame_bgr(index)).objects[1].logits for index in range(5, 9)]
    settings: dict[str, Any] = {"policy": "random", "tokens": 64, "window": None}
    with VideoSegmenter(str(tiny_bundle), rung=240, **settings) as same:
        same.load_state(path)
        for index, logits_hw in enumerate(expected, start=5):
            np.testing.assert_array_equal(same.track(frame_bgr(index)).objects[1].logits, logits_hw)
    with VideoSegmenter(str(tiny_bundle), rung=240, policy="fifo", tokens=64) as other:
        other.load_state(path)
        found = [other.track(frame_bgr(index)).objects[1].logits for index in range(5, 9)]
    assert not np.array_equal(found[-1], expected[-1])


def test_a_segmenter_refuses_what_its_bundle_cannot_hold(tiny_bundle: Path) -> None:
    with pytest.raises(ArgumentError, match="is 512 tokens; choose 32"):
        VideoSegmenter(str(tiny_bundle), tokens=512)
    with pytest.raises(UnknownNameError, match="pruning policy"):
        VideoSegmenter(str(tiny_bundle), policy="oldest")
