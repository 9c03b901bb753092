"""What the controller can choose from, as one list from the cheapest to the dearest."""

from typing import List, NamedTuple, Sequence

from sam2lite.contracts.loop import WINDOW_MAX
from sam2lite.errors import ArgumentError

# How much smaller an input one stored frame less is worth. A first guess, which the time model
# corrects: six of them then save a fifth of the frame time.
WINDOW_STEP = 0.02
MOST_STEPS = 40  # 50 of them would leave nothing


class Level(NamedTuple):
    """A rung and a memory window; `scale` orders them and is rung / largest rung at full window."""

    rung: int
    window: int
    scale: float


def build_levels(rungs: Sequence[int], windows: Sequence[int] = ()) -> List[Level]:
    """Return the levels, ascending.

    Smaller windows lie below the lowest rung, so that the window shrinks only when no rung is left
    and is whole again before the rung rises.

    Args:
        rungs: input sides of a bundle in px, in any order.
        windows: memory windows that save time, ascending, stored frames; the last one is the whole.

    Raises:
        ArgumentError: no rung, or one that is not a positive size; or windows that do not ascend.
    """
    sides = sorted(set(rungs))
    if not sides or sides[0] <= 0:
        raise ArgumentError(
            "rungs are {}; give the input sizes of the bundle, each above 0 px".format(list(rungs))
        )
    offered = list(windows)
    whole = offered[-1] if offered else WINDOW_MAX
    if offered != sorted(set(offered)) or (offered and whole - offered[0] > MOST_STEPS):
        raise ArgumentError(
            "windows are {}; give them ascending, each once, and at most {} frames between the "
            "first and the last".format(offered, MOST_STEPS)
        )
    levels = [Level(side, whole, side / sides[-1]) for side in sides]
    lowest = levels[0]
    shrunk = [1.0 - WINDOW_STEP * (whole - window) for window in offered[:-1]]
    return [
        Level(lowest.rung, window, lowest.scale * share) for window, share in zip(offered, shrunk)
    ] + levels
