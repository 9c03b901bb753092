"""What a run fell short of, a sentence each: its frame budget, and the cores for its threads."""

from typing import List, Optional


def shortfalls(
    threads: int,
    cores: int,
    budget_ms: Optional[float] = None,
    p50_ms: float = 0.0,
    within: float = 0.0,
) -> List[str]:
    """Return what a run fell short of.

    Args:
        threads: that it ran with.
        cores: physical ones that it may use.
        budget_ms: that a frame might take; None where there was none.
        p50_ms: median time of its last frames, when the input size had settled.
        within: share of its frames that took no longer than the budget, 0..1.
    """
    found = []
    if threads > cores:
        found.append(
            "{} threads were asked for on {} cores, which is slower than one a core; lower "
            "--threads".format(threads, cores)
        )
    if budget_ms is not None and p50_ms > budget_ms:
        found.append(
            "the budget of {:g} ms was missed: the last frames took {:.1f} ms (median), and {:.0%} "
            "of all kept to it; raise it, free the cores, or take a smaller model".format(
                budget_ms, p50_ms, within
            )
        )
    return found
