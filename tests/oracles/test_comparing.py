"""A comparison over masks that say nothing fails."""

import numpy as np
import pytest

from tests.oracles.comparing import check_telling, gap
from tests.oracles.scenarios import FRAMES, Record

HALF = np.where(np.arange(64).reshape(8, 8) < 32, 3.0, -3.0).astype(np.float32)
POINTER = np.zeros(256, np.float32)


def records(scores: str, logits_hw: np.ndarray = HALF) -> list[Record]:
    """A frame for each character, absent where it is `-`."""
    found = []
    for frame, score in enumerate(scores.ljust(FRAMES, "x")):
        shown = np.full_like(HALF, -1024.0) if score == "-" else logits_hw
        found.append(Record(frame, 1, False, shown, -1.0 if score == "-" else 1.0, 0.5, POINTER))
    return found


def test_an_object_that_hides_and_returns() -> None:
    check_telling(records("xxx--xx-"))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (records("x"), "never absent"),
        (records("---"), "never absent"),
        (records("x--", np.full_like(HALF, -3.0)), "0 masks"),
        (records("x--", np.full_like(HALF, 3.0)), "0 masks"),
        (records("xxx" + "-" * 20), "4 masks"),
    ],
    ids=["always there", "late", "empty", "full", "hardly there"],
)
def test_what_says_nothing(told: list[Record], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_telling(told)


def test_gaps() -> None:
    one, other = records("x"), records("x")
    assert gap(one, other) == (0.0, 0.0, 0.0, 0.0, 1.0)
    other[5] = other[5]._replace(logits_hw=-HALF, score=0.5)
    found = gap(one, other)
    assert (found.logit, found.score, found.min_iou) == (6.0, 0.5, 0.0)
    with pytest.raises(AssertionError):
        gap(one, other[:-1])
