"""What the controller can choose from, as one list from the cheapest to the dearest."""

from typing import List, NamedTuple, Sequence

from sam2lite.contracts.loop import WINDOW_MAX, WINDOW_MIN
from sam2lite.errors import ArgumentError

# How much smaller an input one stored frame less is worth. A first guess, which the time model
# corrects: six of them then save a fifth of the frame time.
WINDOW_STEP = 0.02


class Level(NamedTuple):
    """A rung and a memory window; `scale` orders them and is rung / largest rung at full window."""

    rung: int
    window: int
    scale: float


def build_levels(rungs: Sequence[int], window_saves_time: bool) -> List[Level]:
    """Return the levels, ascending.

    Smaller windows lie below the lowest rung, so that the window shrinks only when no rung is left
    and is whole again before the rung rises.

    Args:
        rungs: input sides of a bundle in px, in any order.
        window_saves_time: whether the bundle holds graphs with smaller memory banks.

    Raises:
        ArgumentError: no rung, or one that is not a positive size.
    """
    sides = sorted(set(rungs))
    if not sides or sides[0] <= 0:
        raise ArgumentError(
            "rungs are {}; give the input sizes of the bundle, each above 0 px".format(list(rungs))
        )
    levels = [Level(side, WINDOW_MAX, side / sides[-1]) for side in sides]
    if not window_saves_time:
        return levels
    lowest = levels[0]
    windows = range(WINDOW_MIN, WINDOW_MAX)
    shrunk = [1.0 - WINDOW_STEP * (WINDOW_MAX - window) for window in windows]
    return [
        Level(lowest.rung, window, lowest.scale * share) for window, share in zip(windows, shrunk)
    ] + levels
