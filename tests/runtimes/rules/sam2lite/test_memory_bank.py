import numpy as np
import pytest

from sam2lite.contracts import loop
from sam2lite.contracts.families import sam2lite as contract
from sam2lite.runtimes.rules.sam2lite.memory_bank import MemoryBank, normalised_age

BUDGET = 256
TOKENS = contract.TOKENS_PER_FRAME
ANCHOR_FRAMES = BUDGET // TOKENS // 2


def store(bank: MemoryBank, anchor: bool = False, motion: float = 0.5) -> np.ndarray:
    """Store a frame as memory_select would rank it, with scores at random; return the meta data."""
    rng = np.random.default_rng(bank.stored)
    uncertainty = rng.random((1, TOKENS)).astype(np.float32)
    meta = bank.candidates(uncertainty, motion, anchor)
    score = rng.random(BUDGET + TOKENS)
    score += contract.ANCHOR_BONUS * meta[0, :, contract.META_ANCHOR]
    score += contract.INVALID_PENALTY * (1.0 - meta[0, :, contract.META_VALID])
    kept = np.argsort(-score)[np.newaxis, :BUDGET].astype(np.int32)
    bank.commit(bank.key, bank.value, kept)
    return meta


def seen_frames(bank: MemoryBank, window: int = loop.WINDOW_MAX) -> list[int]:
    _, bias = bank.view(window)
    return sorted(set(bank.columns["ordinal"][bias[0, 0, 0] == 0.0].tolist()))


def filled(frames: int, anchors: tuple[int, ...] = (0,)) -> MemoryBank:
    bank = MemoryBank(BUDGET)
    for frame in range(frames):
        bank.tick()
        store(bank, anchor=frame in anchors)
    return bank


def test_an_empty_bank_shows_nothing() -> None:
    age, bias = MemoryBank(BUDGET).view(loop.WINDOW_MAX)
    assert age.dtype == bias.dtype == np.float32
    assert (age.shape, bias.shape) == ((1, BUDGET), (1, 1, 1, BUDGET))
    assert (bias == loop.MASKED_BIAS).all()


def test_one_frame_takes_its_slots_and_the_rest_stays_hidden() -> None:
    bank = filled(1)
    _, bias = bank.view(loop.WINDOW_MAX)
    assert (bias == 0.0).sum() == TOKENS
    assert bank.stored == 1


@pytest.mark.parametrize("window", [2, 5, 8])
def test_the_window_shows_that_many_stored_frames_and_the_anchors(window: int) -> None:
    bank = filled(20, anchors=(0, 3))
    recent = set(range(20 - window, 20))
    assert set(seen_frames(bank, window)) <= recent | {0, 3}
    assert {0, 3, 19} <= set(seen_frames(bank, window))


def test_what_has_left_the_longest_window_makes_room() -> None:
    bank = MemoryBank(BUDGET)
    for _ in range(30):
        meta = store(bank)
        valid = meta[0, :BUDGET, contract.META_VALID] == 1.0
        assert valid.sum() <= (loop.WINDOW_MAX - 1) * TOKENS
        assert (bank.columns["ordinal"][bank.columns["valid"]] >= bank.stored - 8).all()


def test_anchors_survive_any_number_of_tracked_frames() -> None:
    bank = filled(200)
    is_first = bank.columns["valid"] & (bank.columns["ordinal"] == 0)
    assert is_first.sum() == TOKENS
    assert bank.columns["anchor"][is_first].all()


def test_anchors_never_take_more_than_half_and_the_first_prompt_stays() -> None:
    bank = filled(12, anchors=tuple(range(12)))
    held = bank.columns["valid"] & bank.columns["anchor"]
    assert sorted(set(bank.columns["ordinal"][held].tolist())) == [0, 9, 10, 11]
    assert held.sum() == ANCHOR_FRAMES * TOKENS


@pytest.mark.parametrize("budget", [TOKENS, 2 * TOKENS])
def test_a_bank_with_room_for_no_second_anchor_takes_corrections(budget: int) -> None:
    bank = MemoryBank(budget)
    for _ in range(3):
        meta = bank.candidates(np.zeros((1, TOKENS), np.float32), 0.0, anchor=True)
        kept = np.argsort(-meta[0, :, contract.META_VALID], kind="stable")[np.newaxis, :budget]
        bank.commit(bank.key, bank.value, kept)
    assert bank.stored == 3


def test_ages_count_frames_also_those_that_store_nothing() -> None:
    bank = filled(1)
    for _ in range(3):
        bank.tick()
    meta = store(bank)
    is_old = bank.columns["ordinal"] == 0
    assert (bank.columns["age"][is_old & bank.columns["valid"]] == 3).all()
    assert (bank.columns["age"][bank.columns["ordinal"] == 1] == 0).all()
    assert (meta[0, BUDGET:, contract.META_AGE] == 0.0).all()


def test_normalised_age_is_logarithmic_and_ends_at_the_horizon() -> None:
    age = normalised_age(np.array([0, 1, 15, 255, 10_000]))
    np.testing.assert_allclose(age, [0.0, 0.125, 0.5, 1.0, 1.0], atol=1e-6)
    assert age.dtype == np.float32


def test_meta_data_of_new_tokens() -> None:
    meta = store(MemoryBank(BUDGET), anchor=True, motion=0.25)
    new = meta[0, BUDGET:]
    assert meta.shape == (1, BUDGET + TOKENS, contract.META_COLUMNS)
    assert (new[:, contract.META_MOTION] == 0.25).all()
    assert (new[:, contract.META_ANCHOR] == 1.0).all()
    assert (new[:, contract.META_VALID] == 1.0).all()
    assert len(set(new[:, contract.META_UNCERTAINTY].tolist())) == TOKENS
    assert not meta[0, :BUDGET].any()


def test_motion_and_uncertainty_stay_with_their_token() -> None:
    bank = MemoryBank(BUDGET)
    first = store(bank, anchor=True, motion=0.75)[0, BUDGET:, contract.META_UNCERTAINTY]
    for _ in range(5):
        store(bank, motion=0.0)
    is_first = bank.columns["ordinal"] == 0
    assert (bank.columns["motion"][is_first & bank.columns["valid"]] == 0.75).all()
    assert set(bank.columns["uncertainty"][is_first & bank.columns["valid"]]) == set(first)


def test_forgetting_the_last_frame_gives_its_place_to_the_next() -> None:
    bank = filled(5)
    bank.forget_last()
    assert bank.stored == 4
    assert 4 not in seen_frames(bank)
    store(bank, anchor=True)
    assert bank.stored == 5
    assert 4 in seen_frames(bank, window=2)
    is_last = bank.columns["valid"] & (bank.columns["ordinal"] == 4)
    assert is_last.sum() == TOKENS
    assert bank.columns["anchor"][is_last].all()


def test_memory_is_constant() -> None:
    bank = filled(300, anchors=(0, 50, 51, 52, 100, 150, 200, 250))
    assert {column.shape for column in bank.columns.values()} == {(BUDGET,)}
    assert bank.key.shape == bank.value.shape == (1, BUDGET, contract.MEMORY_CHANNELS)


def test_state_and_restore() -> None:
    bank = filled(12)
    copy = MemoryBank(BUDGET)
    copy.restore(bank.state(np.asarray))
    for name, column in bank.columns.items():
        np.testing.assert_array_equal(copy.columns[name], column)
        assert copy.columns[name].dtype == column.dtype
    for before, after in zip(bank.view(4), copy.view(4), strict=True):
        np.testing.assert_array_equal(before, after)
