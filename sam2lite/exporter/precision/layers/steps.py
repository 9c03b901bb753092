"""More bits for layers, one step each: what a step costs in the file, and what noise goes with it.

The noise of layers is taken to add up: each is measured alone, at the worst output of its graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple


class Level(NamedTuple):
    """One way of storing a layer.

    Attributes:
        bytes: of the file.
        noise: power of the error of its graph's worst output, as a share of the output's power.
    """

    bytes: int
    noise: float


class Step(NamedTuple):
    """A layer gets more bits.

    Attributes:
        path: of the layer.
        bytes: that it takes more.
        noise: that goes.
    """

    path: str
    bytes: int
    noise: float


def steps_between(levels: Mapping[str, Sequence[Level]]) -> list[Step]:
    """Return every step from one level of a layer to its next, those of a layer in their order.

    Args:
        levels: of layers by path, the one with the fewest bits first.
    """
    return [
        Step(path, higher.bytes - lower.bytes, lower.noise - higher.noise)
        for path, own in levels.items()
        for lower, higher in pairwise(own)
    ]


def by_noise(steps: Iterable[Step]) -> list[Step]:
    """Return steps by what they take of the noise, the most first."""
    return sorted(steps, key=lambda step: step.noise, reverse=True)


def affordable(steps: Iterable[Step], room: float) -> list[Step]:
    """Return steps that fit into so many bytes, at every turn the one that helps most for a byte.

    A layer's steps are taken in their order. One that does not fit, or does not help, ends them.
    """
    waiting: dict[str, list[Step]] = {}
    for step in steps:
        waiting.setdefault(step.path, []).append(step)
    taken: list[Step] = []
    while waiting:
        path, own = max(waiting.items(), key=lambda item: _worth(item[1][0]))
        step = own.pop(0)
        if step.bytes <= room and step.noise > 0.0:
            taken.append(step)
            room -= step.bytes
        else:
            own.clear()
        if not own:
            del waiting[path]
    return taken


def _worth(step: Step) -> float:
    """Return the noise that goes for a byte; what needs no more room comes first."""
    return step.noise / step.bytes if step.bytes > 0 else float("inf")
