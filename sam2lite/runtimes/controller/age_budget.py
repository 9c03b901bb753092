"""From how old a mask may be to how long a frame may take."""

from typing import Optional

from sam2lite.errors import ArgumentError


def check_one_budget(budget_ms: Optional[float], max_age_ms: Optional[float]) -> None:
    """Raise ArgumentError where a command is given both of its budgets."""
    if budget_ms is not None and max_age_ms is not None:
        raise ArgumentError("--budget-ms and --max-age-ms are two budgets; give one of them")


def budget_for_age(max_age_ms: float, period_ms: float) -> float:
    """Return what a frame may take in the loop so that its mask is never older than `max_age_ms`.

    A loop that is faster than its source waits for each frame, and its masks are as old as a frame
    takes. A slower one takes the newest frame when it is ready, and that may have waited for nearly
    a period of the source. So the time is the whole age or a period, whichever is shorter; or the
    age less a period, where that is longer still.

    Args:
        max_age_ms: from capture to mask.
        period_ms: from one frame of the source to the next; 0 where frames wait for the loop.

    Raises:
        ArgumentError: the age is not above 0.
    """
    if not 0.0 < max_age_ms < float("inf"):
        raise ArgumentError(
            "the age of a mask is to be at most {} ms; give a number above 0, such as 100".format(
                max_age_ms
            )
        )
    if period_ms <= 0.0:
        return max_age_ms
    return max(min(max_age_ms, period_ms), max_age_ms - period_ms)
