"""The search for layers that must stay in float, on made-up costs."""

from collections.abc import Sequence

import pytest

from sam2lite.calibration.assignment import PrecisionAssignment, first_assignment
from sam2lite.errors import UnknownNameError
from sam2lite.exporter.precision.accuracy import Accuracy, AccuracyDrop
from sam2lite.exporter.precision.search import Outcome, search

LAYERS = [f"graph.{index}" for index in range(40)]
PLAN = PrecisionAssignment(frozenset(LAYERS), {})


def found(costs: Sequence[float], max_drop: float) -> tuple[Outcome[AccuracyDrop], list[int]]:
    """Search with layers that cost so many points each, the first ones if fewer are given."""
    tried: list[int] = []

    def measure(plan: PrecisionAssignment) -> AccuracyDrop:
        tried.append(len(plan.kept))
        lost = sum(cost for path, cost in zip(LAYERS, costs, strict=False) if path in plan.lowered)
        return AccuracyDrop(Accuracy(60.0, 70.0), Accuracy(60.0 - lost, 70.0), 8, 480)

    return search(PLAN, measure, lambda: LAYERS, max_drop), tried


def test_nothing_is_kept_where_nothing_is_lost() -> None:
    def fail() -> list[str]:
        raise AssertionError("ranked for nothing")

    drop = AccuracyDrop(Accuracy(60.0, 70.0), Accuracy(59.5, 70.0), 8, 480)
    outcome = search(PLAN, lambda plan: drop, fail, 1.0)
    assert outcome == Outcome(PLAN, drop, 1)


@pytest.mark.parametrize("bad", range(1, 11))
def test_the_fewest_layers_are_kept(bad: int) -> None:
    outcome, tried = found([0.6] * bad, max_drop=0.5)
    assert sorted(outcome.plan.kept) == sorted(LAYERS[:bad])
    assert outcome.plan.lowered == frozenset(LAYERS[bad:])
    assert outcome.drop.points == pytest.approx(0.0)
    assert outcome.trials == len(tried) <= 8
    assert "most sensitive" in next(iter(outcome.plan.kept.values()))


def test_a_bound_that_cannot_be_met_gives_the_best_there_is() -> None:
    outcome, tried = found([0.6] * 40, max_drop=0.5)
    assert len(outcome.plan.kept) == max(tried) == 10  # a quarter
    assert outcome.drop.points == pytest.approx(18.0)


def test_the_first_frame_counts_as_well() -> None:
    drop = AccuracyDrop(Accuracy(60.0, 70.0), Accuracy(60.0, 68.0), 8, 480)
    assert drop.points == 2.0
    assert drop.to_json()["drop"] == 2.0


def plan(patterns: Sequence[str]) -> PrecisionAssignment:
    ranges = {f"{path}:input": (0.0, 1.0) for path in LAYERS[1:]}
    return first_assignment(LAYERS, ranges, patterns)


def test_layers_without_ranges_stay_in_float() -> None:
    assert list(plan([]).kept) == ["graph.0"]
    assert "nothing but zeros" in plan([]).kept["graph.0"]


def test_patterns_keep_layers_in_float() -> None:
    kept = plan(["graph.1?", "graph.2"]).kept
    assert sorted(kept) == sorted(["graph.0", "graph.2", *(f"graph.1{i}" for i in range(10))])
    assert kept["graph.11"] == "--keep-float graph.1?"


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"'encoder\.\*'; known: graph\.0"):
        plan(["encoder.*"])
