"""The search for the nodes that break a graph in FP16, against oracles that know the answer."""

import itertools
import math
import random
from collections.abc import Callable

import pytest

from sam2lite.exporter.precision.bisect_fp16 import Bisection, find_breaking_nodes, module_of

Oracle = Callable[[frozenset[str]], bool]


def layers(count: int, nodes: int = 2) -> list[str]:
    return [f"/layer.{i}/Node_{j}" for i in range(count) for j in range(nodes)]


class Asked:
    """Counts what an oracle is asked, and refuses to answer twice."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.questions: set[frozenset[str]] = set()

    def __call__(self, pinned: frozenset[str]) -> bool:
        assert pinned not in self.questions
        self.questions.add(pinned)
        return self.oracle(pinned)


def needs(*culprits: str) -> Oracle:
    return lambda pinned: pinned >= set(culprits)


def check(nodes: list[str], oracle: Oracle, most_builds: int = 10_000) -> Bisection:
    """Search, and check what is promised of every outcome."""
    asked = Asked(oracle)
    found = find_breaking_nodes(nodes, asked, most_builds=most_builds)
    assert found.builds == len(asked.questions) <= most_builds
    if found.pinned is not None:
        assert oracle(found.nodes)
        assert found.nodes in asked.questions
        for left_out in found.pinned if found.least else ():
            assert not oracle(found.nodes - set(left_out))
        order = [node for group in found.pinned for node in group]
        assert order == sorted(order, key=nodes.index)
    return found


def test_nothing_is_pinned_where_nothing_breaks() -> None:
    found = check(layers(50), lambda pinned: True)
    assert (found.pinned, found.builds) == ((), 1)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_what_fails_in_fp32_as_well_is_not_precision(count: int) -> None:
    found = check(layers(count), lambda pinned: False)
    assert found.pinned is None
    assert found.nodes == frozenset()
    assert found.builds <= 2


@pytest.mark.parametrize("count", [1, 2, 3, 100, 157])
def test_one_culprit_takes_a_logarithm_of_builds(count: int) -> None:
    nodes = layers(count)
    for index in range(count):
        found = check(nodes, needs(f"/layer.{index}/Node_1"))
        assert found.pinned == ((f"/layer.{index}/Node_0", f"/layer.{index}/Node_1"),)
        assert found.least
        assert found.builds <= math.ceil(math.log2(count)) + 4


def test_every_pair_is_found() -> None:
    nodes = layers(12)
    for a, b in itertools.combinations(range(12), 2):
        found = check(nodes, needs(f"/layer.{a}/Node_0", f"/layer.{b}/Node_1"))
        assert [group[0] for group in found.pinned or ()] == [
            f"/layer.{a}/Node_0",
            f"/layer.{b}/Node_0",
        ]
        assert found.builds <= 2 * (4 + 2) + 2


def test_all_are_needed() -> None:
    nodes = layers(9)
    found = check(nodes, needs(*nodes))
    assert found.nodes == set(nodes)
    assert len(found.pinned or ()) == 9


def test_one_of_two_is_enough() -> None:
    """Both make an error, and half of it may stay."""

    def either(pinned: frozenset[str]) -> bool:
        return "/layer.3/Node_0" in pinned or "/layer.30/Node_0" in pinned

    assert len(check(layers(40), either).pinned or ()) == 1


def test_errors_that_add_up() -> None:
    """No layer is guilty alone: the sum of what is left must stay below a bound."""
    nodes = layers(32, nodes=1)
    error = {node: 1 + (index * 7) % 5 for index, node in enumerate(nodes)}

    def below(pinned: frozenset[str]) -> bool:
        return sum(e for node, e in error.items() if node not in pinned) <= 60

    found = check(nodes, below)
    assert found.least
    assert 0 < len(found.pinned or ()) < 32


@pytest.mark.parametrize("seed", range(40))
def test_random_culprits_and_alternatives(seed: int) -> None:
    """Each clause is a set of layers one of which must be pinned: any monotone oracle is such."""
    draw = random.Random(seed)
    nodes = layers(draw.randint(1, 60), nodes=draw.randint(1, 3))
    clauses = [set(draw.sample(nodes, min(len(nodes), draw.randint(1, 4)))) for _ in range(4)]
    found = check(nodes, lambda pinned: all(clause & pinned for clause in clauses))
    assert found.least
    assert len(found.pinned or ()) <= 4


@pytest.mark.parametrize("seed", range(40))
def test_an_oracle_that_is_not_monotone_is_not_believed(seed: int) -> None:
    """What is returned passed, and no group of it can be left out, although the search is led
    astray; `check` asserts both."""
    nodes = layers(16, nodes=1)
    kept: dict[frozenset[str], bool] = {frozenset(): False, frozenset(nodes): True}
    draw = random.Random(seed)

    def whim(pinned: frozenset[str]) -> bool:
        return kept.setdefault(pinned, draw.random() < 0.5)

    assert check(nodes, whim).pinned is not None


@pytest.mark.parametrize("most_builds", [2, 3, 7, 12, 20])
def test_where_builds_run_out_the_best_that_passed_is_taken(most_builds: int) -> None:
    nodes = layers(64)
    culprits = [f"/layer.{index}/Node_0" for index in (5, 17, 40, 63)]
    found = check(nodes, needs(*culprits), most_builds)
    assert not found.least
    assert found.nodes >= set(culprits)
    assert found.builds == most_builds


def test_more_builds_never_pin_more() -> None:
    nodes = layers(64)
    oracle = needs("/layer.5/Node_0", "/layer.40/Node_1")
    sizes = [len(check(nodes, oracle, most).nodes) for most in range(2, 30)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 4


def test_groups_are_neighbours_of_one_module() -> None:
    nodes = ["/a/x/Conv", "/a/x/Add", "/Add", "/a/x/Relu", "Mul"]
    assert [module_of(node) for node in nodes] == ["/a/x", "/a/x", "", "/a/x", ""]
    found = check(nodes, needs("/a/x/Add"))
    assert found.pinned == (("/a/x/Conv", "/a/x/Add"),)
    each = find_breaking_nodes(nodes, needs("/a/x/Add"), group_of=lambda node: node)
    assert each.pinned == (("/a/x/Add",),)
