"""Find the nodes that must compute in FP32 for a graph to pass, by building few engines.

A node belongs to its module, whose path stands in its name: `/stages.1/blocks.0/project/Conv` is of
`/stages.1/blocks.0/project`. Neighbours of one module are a group, and groups are what is pinned.

It is taken that pinning more never breaks what passes. Then the groups that come first in the graph
fail together up to some group and pass from it on; that group is needed, and is found by halving.
With it pinned, the search goes on among the groups before it, until what was found passes alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_BUILDS = 40  # some four culprits among 150 groups


@dataclass(frozen=True)
class Bisection:
    """What a search found.

    Attributes:
        pinned: groups of nodes with which the graph passes, each with its nodes, in the order of
            the graph; empty if it passes as it is. None if it fails with every node in FP32:
            precision is not what breaks it.
        builds: how often the graph was tried.
        least: whether the graph was seen to fail with any one of the groups left out; not so where
            the builds ran out.
    """

    pinned: tuple[tuple[str, ...], ...] | None
    builds: int
    least: bool

    @property
    def nodes(self) -> frozenset[str]:
        """Names of the nodes that are pinned."""
        return frozenset(itertools.chain.from_iterable(self.pinned or ()))


def module_of(node: str) -> str:
    """Return the path of the module that a node is of; nothing for those of the graph itself."""
    return node.rpartition("/")[0]


def find_breaking_nodes(
    nodes_in_order: Sequence[str],
    passes: Callable[[frozenset[str]], bool],
    group_of: Callable[[str], str] = module_of,
    most_builds: int = MOST_BUILDS,
) -> Bisection:
    """Find a smallest set of groups that makes a graph pass when they are kept in FP32.

    What is returned was tried and passed, whatever the oracle is like. One culprit among n groups
    takes log2(n) + 4 builds at most, each further one log2(n) + 2.

    Args:
        nodes_in_order: names of the nodes that compute in FP16, in topological order.
        passes: builds the graph with these nodes in FP32 and says whether it holds its bound; it is
            never asked the same twice.
        group_of: name of the group of a node.
        most_builds: from then on, the best that passed so far is taken; 2 or more.
    """
    groups = [tuple(members) for _, members in itertools.groupby(nodes_in_order, group_of)]
    search = _Search(groups, passes, most_builds)
    if search.passes(frozenset()):
        return Bisection((), search.builds, least=True)
    if not search.passes(frozenset(range(len(groups)))):
        return Bisection(None, search.builds, least=True)
    pinned, least = search.find()
    chosen = tuple(groups[index] for index in sorted(pinned))
    return Bisection(chosen, search.builds, least)


class _OutOfBuildsError(Exception):
    """No more builds are allowed."""


class _Search:
    """Asks for sets of groups, by their numbers, and remembers the answers."""

    def __init__(
        self,
        groups: Sequence[Sequence[str]],
        passes: Callable[[frozenset[str]], bool],
        most_builds: int,
    ) -> None:
        self._groups, self._passes, self._most_builds = groups, passes, most_builds
        self._answers: dict[frozenset[int], bool] = {}
        self._best = frozenset(range(len(groups)))  # the smallest set that is known to pass

    @property
    def builds(self) -> int:
        """How often the oracle was asked."""
        return len(self._answers)

    def passes(self, pinned: frozenset[int]) -> bool:
        """Return the answer for a set of groups."""
        if pinned not in self._answers:
            if self.builds >= self._most_builds:
                raise _OutOfBuildsError
            names = itertools.chain.from_iterable(self._groups[index] for index in pinned)
            self._answers[pinned] = self._passes(frozenset(names))
            if self._answers[pinned] and len(pinned) < len(self._best):
                self._best = pinned
        return self._answers[pinned]

    def find(self) -> tuple[frozenset[int], bool]:
        """Return a set of groups that passes, and whether none of them can be left out."""
        try:
            return self._without_spare(self._needed()), True
        except _OutOfBuildsError:
            return self._best, False

    def _needed(self) -> frozenset[int]:
        """Find one needed group after the other, the last in the graph first."""
        found: frozenset[int] = frozenset()
        end = len(self._groups)  # the first `end` groups pass together with `found`
        while not self.passes(found):
            failing, passing = 0, end
            while passing - failing > 1:
                middle = (failing + passing) // 2
                if self.passes(found | frozenset(range(middle))):
                    passing = middle
                else:
                    failing = middle
            found, end = found | {passing - 1}, passing - 1
        return found

    def _without_spare(self, pinned: frozenset[int]) -> frozenset[int]:
        """Leave out what can be: nothing, unless pinning more did break what passed."""
        for index in sorted(pinned):
            if self.passes(pinned - {index}):
                return self._without_spare(pinned - {index})
        return pinned
