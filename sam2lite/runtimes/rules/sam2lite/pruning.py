"""Pruning policies: which tokens of a memory bank stay when there are more than its budget.

The importance MLP is one policy among several, and the only one inside a graph. The others look at
the bookkeeping of the candidates, and what they give up is shown to memory_select as invalid: it
then keeps exactly the rest. So every policy, and every budget up to the graph's own, runs on the
same graphs. The rules are in docs/architecture.md, "The frame loop".
"""

from typing import Callable, Dict, Optional

import numpy as np

from sam2lite.contracts.arguments import whole_number
from sam2lite.contracts.families.sam2lite import PRUNING_POLICY, TOKENS_PER_FRAME
from sam2lite.contracts.loop import WINDOW_MAX, WINDOW_MIN
from sam2lite.errors import ArgumentError, UnknownNameError

LEARNED = "learned"

Columns = Dict[str, np.ndarray]


def _fifo(columns: Columns, stored: int) -> np.ndarray:
    return np.zeros(len(columns["ordinal"]))


def _anchor_fifo(columns: Columns, stored: int) -> np.ndarray:
    return (~columns["anchor"]).astype(float)


def _random(columns: Columns, stored: int) -> np.ndarray:
    draws = np.random.RandomState(stored).permutation(len(columns["ordinal"]))
    return _anchor_fifo(columns, stored) * len(draws) + draws


def _uncertainty(columns: Columns, stored: int) -> np.ndarray:
    # Thousandths of a bit: what differs by less is equally certain, and the newer token stays.
    return _anchor_fifo(columns, stored) * 1e4 + np.round(columns["uncertainty"] * 1000)


# Each gives one number per valid candidate, from the newest frame's to the oldest's; the lowest
# numbers stay, and of equal ones the newer. `learned` leaves the choice to the graph.
POLICIES: Dict[str, Optional[Callable[[Columns, int], np.ndarray]]] = {
    LEARNED: None,
    "fifo": _fifo,
    "anchor-fifo": _anchor_fifo,
    "random": _random,
    "uncertainty": _uncertainty,
}


class Pruning:
    """What a bank keeps.

    Attributes:
        policy: its name in `POLICIES`.
        budget: tokens that may be valid at a time.
        window: stored frames that are kept beside the anchors; None for no limit.
    """

    def __init__(
        self,
        slots: int,
        policy: str = PRUNING_POLICY,
        budget: Optional[int] = None,
        window: Optional[int] = WINDOW_MAX,
    ) -> None:
        """Check and take the settings.

        Args:
            slots: tokens that the graphs' bank has room for.
            policy: `learned`, `fifo`, `anchor-fifo`, `random` or `uncertainty`.
            budget: see the attribute; all slots if not given.
            window: see the attribute.

        Raises:
            UnknownNameError: there is no such policy.
            ArgumentError: the budget or the window is out of range.
        """
        if not isinstance(policy, str) or policy not in POLICIES:
            raise UnknownNameError("pruning policy", policy, POLICIES)
        budget = None if budget is None else whole_number("the memory budget", budget)
        window = None if window is None else whole_number("the memory window", window)
        if budget is not None and not TOKENS_PER_FRAME <= budget <= slots:
            raise ArgumentError(
                "the memory budget is {} tokens; choose {} (one frame) to {} (what the graphs "
                "were exported with)".format(budget, TOKENS_PER_FRAME, slots)
            )
        if window is not None and not WINDOW_MIN <= window <= WINDOW_MAX:
            raise ArgumentError(
                "the memory window is {} stored frames; choose {} to {}, or None for no "
                "limit".format(window, WINDOW_MIN, WINDOW_MAX)
            )
        self.policy = policy
        self.budget = slots if budget is None else budget
        self.window = window

    def survivors(self, columns: Columns, stored: int) -> np.ndarray:
        """Return which candidates the policy keeps, bool [n].

        Args:
            columns: of the candidates, as in `MemoryBank.columns`.
            stored: frames stored before this one; the random policy's seed.
        """
        cost = POLICIES[self.policy]
        valid = columns["valid"]
        if cost is None:
            return valid
        rows = np.flatnonzero(valid)
        rows = rows[np.lexsort((columns["token"][rows], -columns["ordinal"][rows]))]
        costs = cost({name: column[rows] for name, column in columns.items()}, stored)
        kept = np.zeros(len(valid), bool)
        kept[rows[np.argsort(costs, kind="mergesort")[: self.budget]]] = True  # stable
        return kept
