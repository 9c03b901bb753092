"""Keep the fewest layers in float with which a bundle, or a graph, is as accurate as asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from sam2lite.calibration.assignment import PrecisionAssignment

# With more than this share of the layers in float a bundle is no INT8 bundle any more.
MOST_FLOAT = 0.25


class Cost(Protocol):
    """What a plan costs."""

    @property
    def points(self) -> float:
        """To be held against the bound: less is better."""


C = TypeVar("C", bound=Cost)


@dataclass(frozen=True)
class Outcome(Generic[C]):
    """What a search found.

    Attributes:
        plan: which layers stay in float.
        drop: what the plan costs.
        trials: how many plans were measured.
    """

    plan: PrecisionAssignment
    drop: C
    trials: int


def search(
    plan: PrecisionAssignment,
    measure: Callable[[PrecisionAssignment], C],
    ranked: Callable[[], Sequence[str]],
    max_drop: float,
) -> Outcome[C]:
    """Find the shortest head of a ranking of layers that has to stay in float.

    The number of layers doubles until the bound holds, then is halved down to the fewest; a plan of
    fewer layers is taken to be no more accurate than one of more.

    Args:
        plan: to start from.
        measure: says what a plan costs.
        ranked: the layers, the most sensitive first; asked for only if `plan` misses the bound.
        max_drop: the bound.

    Returns:
        The first plan that holds the bound, or the best that was tried if none of at most
        `MOST_FLOAT` of the layers does.
    """
    trials = [(plan, measure(plan))]
    if trials[0][1].points <= max_drop:
        return Outcome(*trials[0], trials=1)
    order = [path for path in ranked() if path in plan.lowered]
    most = max(1, int(MOST_FLOAT * len(order)))

    def holds(count: int) -> bool:
        kept = plan.without(order[:count], f"among the {count} most sensitive layers")
        trials.append((kept, measure(kept)))
        return trials[-1][1].points <= max_drop

    missed, count = 0, 1
    while not holds(count):
        if count == most:
            best = min(trials, key=lambda trial: trial[1].points)
            return Outcome(*best, trials=len(trials))
        missed, count = count, min(2 * count, most)
    good = trials[-1]
    while count - missed > 1:
        middle = (missed + count) // 2
        if holds(middle):
            count, good = middle, trials[-1]
        else:
            missed = middle
    return Outcome(*good, trials=len(trials))
