import pytest

from sam2lite.runtimes.measuring.shortfalls import shortfalls


def test_nothing_is_said_of_what_was_kept() -> None:
    assert shortfalls(2, 2) == []
    assert shortfalls(1, 2, 33.0, 33.0, 0.6) == []


@pytest.mark.parametrize(("threads", "said"), [(3, True), (2, False)])
def test_threads_beyond_the_cores(threads: int, said: bool) -> None:
    assert bool(shortfalls(threads, 2)) is said


def test_a_missed_budget_is_said_with_its_figures() -> None:
    threads, budget = shortfalls(8, 2, 33.0, 65.04, 0.125)
    assert threads.startswith("8 threads were asked for on 2 cores")
    assert "33 ms was missed: the last frames took 65.0 ms (median), and 12% of all" in budget
