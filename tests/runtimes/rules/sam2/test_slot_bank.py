import gc
import tracemalloc

import numpy as np
import pytest

from sam2lite.contracts.families.sam2 import LAYOUT
from sam2lite.runtimes.rules.sam2 import slot_buffer
from sam2lite.runtimes.rules.sam2.attention_inputs import attention_inputs
from sam2lite.runtimes.rules.sam2.frame_record import FrameRecord
from sam2lite.runtimes.rules.sam2.slot_bank import CONDITIONING_STORE, SlotBank

SIDE = 4  # of the grid of memory, cells
SIZE = 16 * SIDE


def record(frame: int, conditioning: bool = False, good: bool = True) -> FrameRecord:
    memory = np.full((SIDE * SIDE, 64), frame, np.float32)
    return FrameRecord(
        serial=0,
        frame=frame,
        conditioning=conditioning,
        initial=conditioning,
        settled=False,
        good=good,
        memory_nc=memory,
        pointer_c=np.full(256, frame, np.float32),
        logits_hw=np.zeros((16, 16), np.float32) if conditioning else None,
        iou=0.5,
        score=1.0,
    )


def followed(frames: range, prompted: tuple[int, ...] = (0,), motion: bool = False) -> SlotBank:
    """Return a bank as it is before the frame after the last one."""
    bank = SlotBank(trusts_motion=motion)
    for frame in frames:
        bank.tick()
        bank.write(record(frame, frame in prompted))
        bank.settle(frame)
    bank.tick()
    return bank


def view(
    bank: SlotBank, frame: int, window: int = 6, pointers: int = 16
) -> tuple[dict[int, int], list[int]]:
    """Return rows of the temporal table by frame, and how long ago the frames of pointers were."""
    seen = bank.seen(frame, window, pointers)
    for pointer, ago in seen.pointers:
        assert pointer[0] == frame - ago
    return {each.frame: row for each, row in seen.frames}, [ago for _, ago in seen.pointers]


def test_a_frame_sees_prompted_ones_and_six_before_it() -> None:
    bank = followed(range(20))
    assert view(bank, 20) == (
        {0: 6, 19: 0, 18: 1, 17: 2, 16: 3, 15: 4, 14: 5},
        [20, *range(1, 16)],
    )
    assert view(bank, 20, window=3)[0] == {0: 6, 19: 0, 18: 1, 17: 2}
    assert view(bank, 20, pointers=5)[1] == [20, 1, 2, 3, 4]


def test_frames_that_were_left_out_count() -> None:
    bank = followed(range(0, 24, 3))
    assert view(bank, 24) == ({0: 6, 21: 2, 18: 5}, [24, 3, 6, 9, 12, 15])
    assert view(bank, 28)[0] == {0: 6}
    assert view(bank, 28)[1] == [28, 7, 10, 13]


def test_prompted_frames_beyond_the_limit_are_ordinary_ones() -> None:
    bank = followed(range(12), prompted=(0, 1, 2, 9, 10))
    rows, pointers = view(bank, 12)
    assert {frame for frame, row in rows.items() if row == 6} == {1, 2, 9, 10}
    assert rows[11] == 0
    assert 0 not in rows
    assert sorted(pointers) == list(range(1, 13))  # that of frame 0 is the 12th


def test_the_newest_frame_can_be_decided_anew_with_everything_as_it_was() -> None:
    bank, other = followed(range(8)), followed(range(8))
    bank.write(record(8))
    bank.settle(8)
    bank.forget_last()
    assert view(bank, 8) == view(other, 8)
    for frame in (8, 9):
        for each in (bank, other):
            each.write(record(frame))
            each.tick()
    assert view(bank, 10) == view(other, 10)


def test_a_prompted_frame_that_is_decided_anew_stays_where_nothing_comes() -> None:
    bank = followed(range(3))
    bank.write(record(3, conditioning=True))
    bank.forget_last()
    bank.tick()
    assert view(bank, 4)[0] == {0: 6, 3: 6, 2: 1, 1: 2}


def test_a_tracked_frame_that_is_decided_anew_goes_where_nothing_comes() -> None:
    bank = followed(range(3))
    bank.write(record(3))
    bank.forget_last()
    bank.tick()
    assert view(bank, 4)[0] == {0: 6, 2: 1, 1: 2}


def test_prompted_frames_are_kept_to_a_limit_and_the_first_for_good() -> None:
    bank = followed(range(40), prompted=tuple(range(0, 40, 2)))
    kept = sorted(each for each in bank._records if bank._records[each].conditioning)
    assert kept == [0, *range(10, 40, 2)]
    assert len(kept) == CONDITIONING_STORE


def test_going_back_keeps_what_was_prompted() -> None:
    bank = followed(range(20), prompted=(0, 12))
    bank.rewind(5)
    assert view(bank, 5) == ({0: 6, 12: 6}, [5])
    bank = followed(range(20), prompted=(0, 12))
    bank.rewind(18)
    rows, pointers = view(bank, 18)
    assert rows == {0: 6, 12: 6, 17: 0, 16: 1, 15: 2, 14: 3}  # those before 14 were given up
    assert sorted(pointers) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 18]


def test_another_clip_begins_with_what_was_prompted_in_the_past() -> None:
    bank = followed(range(20), prompted=(0, 12))
    bank.begin_clip(20)
    assert {each.frame for each, _ in bank.seen(0, 6, 16).frames} == {-20, -8}
    assert [ago for _, ago in bank.seen(0, 6, 16).pointers] == [20, 8]


def test_memory_is_sought_on_good_frames_where_motion_is_trusted() -> None:
    bank = SlotBank(trusts_motion=True)
    for frame in range(30):
        bank.write(record(frame, conditioning=frame == 0, good=frame < 10))
        bank.tick()
    rows, pointers = view(bank, 30)
    assert rows == {0: 6, 29: 0, 9: 1, 8: 2, 7: 3, 6: 4, 5: 5}
    assert pointers == [30, *range(1, 16)]


def test_a_frame_keeps_its_slot() -> None:
    bank = followed(range(7))
    before = None
    for frame in range(7, 20):
        graph, inputs = attention_inputs(bank.seen(frame, 6, 16), bank.buffer, LAYOUT, SIZE, 16)
        assert graph == "memory_attention_7"
        slots = inputs["memory_features_bnc"].reshape(7, -1)
        frames = slots[:, 0].astype(int).tolist()
        assert (slots == slots[:, :1]).all()
        assert sorted(frames) == [0, *range(frame - 6, frame)]
        rows = inputs["memory_time_bs"][0].tolist()
        assert rows == [6 if each == 0 else frame - 1 - each for each in frames]
        assert (inputs["memory_bias_b11k"][..., : 7 * SIDE * SIDE] == 0).all()
        if before is not None:
            assert sum(old != new for old, new in zip(before, frames, strict=True)) == 1
        before = frames
        bank.write(record(frame))
        bank.tick()


@pytest.mark.parametrize(
    ("frames", "window", "slots", "empty"),
    [
        (1, 6, 2, 1),
        (2, 6, 2, 0),
        (3, 6, 4, 1),
        (5, 6, 7, 2),
        (9, 1, 2, 0),
        (9, 3, 4, 0),
        (9, 6, 7, 0),
    ],
)
def test_the_smallest_graph_that_holds_them(
    frames: int, window: int, slots: int, empty: int
) -> None:
    bank = followed(range(frames))
    seen = bank.seen(frames, window, 16)
    graph, inputs = attention_inputs(seen, bank.buffer, LAYOUT, SIZE, 16)
    assert graph == f"memory_attention_{slots}"
    cells = SIDE * SIDE
    bias = inputs["memory_bias_b11k"][0, 0, 0]
    assert inputs["memory_features_bnc"].shape == (1, slots * cells, 64)
    assert (bias[: slots * cells].reshape(slots, cells) < 0).all(1).sum() == empty
    assert (bias[slots * cells :] == 0).sum() == 4 * frames
    assert (bias[slots * cells : slots * cells + 4 * frames] == 0).all()
    assert set(bias.tolist()) <= {0.0, -1e4}
    np.testing.assert_allclose(
        inputs["pointer_time_bq"][0, :frames], [frames / 15, *(np.arange(1, frames) / 15)]
    )


def test_each_frame_is_copied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[float] = []

    def counted(memory_nc: np.ndarray, *wanted: object) -> np.ndarray:
        copied.append(memory_nc[0, 0])
        return memory_nc

    monkeypatch.setattr(slot_buffer, "resampled_memory", counted)
    bank = followed(range(7))
    for frame in range(7, 20):
        attention_inputs(bank.seen(frame, 6, 16), bank.buffer, LAYOUT, SIZE, 16)
        bank.write(record(frame))
        bank.tick()
    assert sorted(copied) == list(range(19))


def test_slots_change_between_graphs_without_mixing_up() -> None:
    bank = followed(range(12), prompted=(0, 4))
    for window in (6, 1, 3, 6, 2, 6):
        seen = bank.seen(12, window, 16)
        _, inputs = attention_inputs(seen, bank.buffer, LAYOUT, SIZE, 16)
        bias = inputs["memory_bias_b11k"][0, 0, 0]
        slots = inputs["memory_features_bnc"].reshape(-1, SIDE * SIDE * 64)
        shown = {
            int(slot[0]): int(row)
            for place, (slot, row) in enumerate(
                zip(slots, inputs["memory_time_bs"][0], strict=True)
            )
            if bias[place * SIDE * SIDE] == 0
        }
        assert shown == {each.frame: row for each, row in seen.frames}


def test_memory_of_another_grid_is_resampled_and_kept_as_it_was() -> None:
    bank = followed(range(3))
    kept = bank._records[0].memory_nc
    assert kept is not None
    kept[:, 0] = np.arange(16).reshape(4, 4).mean(1).repeat(4)  # grows from row to row
    for side in (8, 4):
        _, inputs = attention_inputs(bank.seen(3, 6, 16), bank.buffer, LAYOUT, 16 * side, 16)
        first = inputs["memory_features_bnc"][0, : side * side, 0].reshape(side, side)
        if side == 8:
            np.testing.assert_allclose(first[:, 0], [1.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 13.5])
        else:
            np.testing.assert_array_equal(first.ravel(), kept[:, 0])


@pytest.mark.parametrize("motion", [False, True])
def test_memory_does_not_grow(motion: bool) -> None:
    bank = SlotBank(trusts_motion=motion)
    sizes = []
    tracemalloc.start()
    for frame in range(1000):
        bank.write(record(frame, conditioning=frame % 10 == 0, good=frame % 7 == 0))
        bank.tick()
        attention_inputs(bank.seen(frame + 1, 6, 16), bank.buffer, LAYOUT, SIZE, 16)
        if frame in (299, 999):  # alike: all repeats itself after 70 frames
            gc.collect()  # empties Python's own stores of tuples, too
            sizes.append((len(bank._records), tracemalloc.get_traced_memory()[0]))
    tracemalloc.stop()
    assert sizes[1][0] <= CONDITIONING_STORE + 15 + 6
    assert sizes[1][1] < 1.02 * sizes[0][1]
