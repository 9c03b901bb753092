import pytest

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.controller.age_budget import budget_for_age


def oldest_ms(compute_ms: float, period_ms: float, frames: int = 2000) -> float:
    """Return the greatest age in a loop of constant time that takes the newest frame."""
    now_ms, taken, oldest = 0.0, -1, 0.0
    for _ in range(frames):
        newest = int(now_ms // period_ms)
        if newest <= taken:  # it waits for the next one
            newest = taken + 1
            now_ms = newest * period_ms
        taken = newest
        now_ms += compute_ms
        oldest = max(oldest, now_ms - taken * period_ms)
    return oldest


@pytest.mark.parametrize("period_ms", [10.0, 33.3, 100.0])
@pytest.mark.parametrize("max_age_ms", [20.0, 40.0, 66.6, 100.0, 250.0])
def test_the_budget_holds_the_age_and_wastes_little(max_age_ms: float, period_ms: float) -> None:
    budget_ms = budget_for_age(max_age_ms, period_ms)
    assert oldest_ms(budget_ms, period_ms) <= max_age_ms + 1e-6
    slower_ms = budget_ms * 1.02
    assert oldest_ms(slower_ms, period_ms) > max_age_ms * 0.97


def test_frames_that_wait_for_the_loop_are_as_old_as_they_take() -> None:
    assert budget_for_age(80.0, 0.0) == 80.0


@pytest.mark.parametrize("max_age_ms", [0.0, -1.0, float("nan"), float("inf")])
def test_an_age_is_above_0(max_age_ms: float) -> None:
    with pytest.raises(ArgumentError, match="give a number above 0"):
        budget_for_age(max_age_ms, 33.3)
