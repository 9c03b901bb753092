"""What the reference loop keeps, and which of it a frame sees."""

import torch

from sam2lite.contracts.families.sam2 import CONDITIONING_FRAMES, POINTER_SLOTS, REWIND_FRAMES
from sam2lite.models.sam2.reference.memory import (
    STORED_CONDITIONING_FRAMES,
    Decoded,
    ObjectMemory,
    ObjectOutput,
    StoredFrame,
)

ONE = torch.ones(())
OUTPUT = ObjectOutput(torch.zeros(4, 4), ONE, ONE, present=True, lost=False)


def frame(t: int) -> StoredFrame:
    """A frame whose memory and pointer say which it is."""
    decoded = Decoded(OUTPUT, initial=True, tracked=False)
    return StoredFrame(torch.full((1, 4, 64), t), torch.full((1, 256), float(t)), decoded)


def memory(conditioning: list[int], recent: list[int]) -> ObjectMemory:
    made = ObjectMemory()
    for t in conditioning:
        made = made.stored(t, frame(t), conditioning=True)
    for t in recent:
        made = made.stored(t, frame(t), conditioning=False)
    return made


def rows(made: ObjectMemory, now: int) -> list[tuple[int, int]]:
    """Rows of the temporal table and frames."""
    seen = made.seen_from(now, 16)
    return [(row, int(memory_bnc[0, 0, 0])) for row, memory_bnc in seen.memories]


def pointers(made: ObjectMemory, now: int, look_back: int = 16) -> list[tuple[int, int]]:
    """Ages and frames."""
    seen = made.seen_from(now, look_back)
    return [(age, int(pointer_bc[0, 0])) for age, pointer_bc in seen.pointers]


def test_a_frame_sees_six_before_it_and_the_prompted_one() -> None:
    made = memory([0], list(range(1, 20)))
    assert rows(made, 20) == [(6, 0), (5, 14), (4, 15), (3, 16), (2, 17), (1, 18), (0, 19)]
    assert pointers(made, 20) == [(20, 0), *((ago, 20 - ago) for ago in range(1, 16))]


def test_a_short_video_looks_back_less_far() -> None:
    made = memory([0], list(range(1, 7)))
    assert pointers(made, 7, look_back=4) == [(7, 0), (1, 6), (2, 5), (3, 4)]


def test_frames_that_were_not_tracked_are_left_out() -> None:
    made = memory([0], [2, 5])
    assert rows(made, 6) == [(6, 0), (3, 2), (0, 5)]
    assert pointers(made, 6) == [(6, 0), (1, 5), (4, 2)]


def test_a_prompted_frame_to_come_is_seen_without_its_pointer() -> None:
    made = memory([0, 12], [1, 2])
    assert rows(made, 3) == [(6, 0), (6, 12), (1, 1), (0, 2)]
    assert pointers(made, 3) == [(3, 0), (1, 2), (2, 1)]


def test_of_many_prompted_frames_the_nearest_are_seen() -> None:
    made = memory([0, 3, 5, 9, 20, 30], [10, 11])
    assert CONDITIONING_FRAMES == 4
    # 9 before, 20 after, then 5 and 20's neighbours by distance; 3 and 0 are too far to count as
    # tracked ones in memory, but not for pointers.
    assert rows(made, 12) == [(6, 9), (6, 20), (6, 5), (6, 3), (1, 10), (0, 11)]
    assert pointers(made, 12) == [(3, 9), (7, 5), (9, 3), (1, 11), (2, 10), (12, 0)]


def test_a_prompted_frame_that_is_not_selected_counts_as_a_tracked_one() -> None:
    made = memory([5, 6, 7, 8, 9], [])
    assert rows(made, 10) == [(6, 9), (6, 8), (6, 7), (6, 6), (4, 5)]


def test_the_frame_itself_is_seen_only_if_it_was_prompted() -> None:
    made = memory([0], [1, 2, 3])
    assert rows(made, 3) == [(6, 0), (1, 1), (0, 2)]
    again = made.stored(3, frame(3), conditioning=True)
    assert rows(again, 3) == [(6, 0), (6, 3), (1, 1), (0, 2)]
    assert pointers(again, 3) == [(3, 0), (0, 3), (1, 2), (2, 1)]
    assert 3 not in again.recent


def test_memory_is_constant() -> None:
    made = ObjectMemory()
    for t in range(100):
        made = made.stored(t, frame(t), conditioning=t % 2 == 0).bounded()
        assert len(made.conditioning) <= STORED_CONDITIONING_FRAMES
        assert len(made.recent) < REWIND_FRAMES + 16
        memories = [kept for kept in made.recent.values() if kept.features_bnc is not None]
        assert len(memories) <= REWIND_FRAMES + 6
        assert len(made.seen_from(t + 1, 16).pointers) <= POINTER_SLOTS
        assert 0 in made.conditioning
    assert all(kept.decoded is None for kept in made.recent.values())


def test_going_back_forgets_what_was_tracked() -> None:
    made = memory([0, 4], [1, 2, 3, 5]).before(3)
    assert list(made.conditioning) == [0, 4]
    assert list(made.recent) == [1, 2]


def test_the_last_frames_may_be_gone_back_over() -> None:
    made, every = ObjectMemory(), ObjectMemory()
    for t in range(40):
        good = t in (3, 9, 12, 13, 20, 33)
        made, every = (
            each.stored(t, frame(t)._replace(good=good), conditioning=t in (0, 35))
            for each in (made, every)
        )
        made = made.bounded()
        for back in range(REWIND_FRAMES + 1):
            now = t + 1 - back
            for trusting in (False, True):
                seen, all_there = (
                    each.before(now).seen_from(now, 16, good=trusting) for each in (made, every)
                )
                assert len(seen.memories) == len(all_there.memories)
                assert len(seen.pointers) == len(all_there.pointers)
