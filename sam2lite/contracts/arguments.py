"""What callers say beside frames and prompts: checked before anything is opened for it."""

import math
import operator
from typing import Any, Optional

from sam2lite.errors import ArgumentError

DEFAULT_PRESET = "default"
MAX_THREADS = 1024


def whole_number(
    name: str, value: Any, least: Optional[int] = None, most: Optional[int] = None
) -> int:
    """Return an integer, Python's or NumPy's.

    Args:
        name: of the argument.
        value: of it.
        least: that it may be; None for no limit.
        most: likewise.

    Raises:
        ArgumentError: it is something else, or out of range.
    """
    number = None if _is_truth(value) else _index(value)
    limits = float("-inf") if least is None else least, float("inf") if most is None else most
    if number is None or not limits[0] <= number <= limits[1]:
        form = "" if least is None else " from {} on".format(least)
        form = form if most is None else ", {} to {}".format(least, most)
        raise ArgumentError(
            "{} is {}; it must be a whole number{}".format(name, shown(value), form)
        )
    return number


def truth(name: str, value: Any) -> bool:
    """Return True or False, Python's or NumPy's.

    Raises:
        ArgumentError: the value is something else.
    """
    if not _is_truth(value):
        raise ArgumentError("{} is {}; it must be True or False".format(name, shown(value)))
    return bool(value)


def check_options(
    budget_ms: Any = None, preset: Any = DEFAULT_PRESET, rung: Any = None, threads: Any = None
) -> None:
    """Check what a segmenter is made with; None stands for what is not given.

    Raises:
        ArgumentError: one has another type or is out of range, or a preset is given without the
            budget that it is for.
    """
    if rung is not None:
        whole_number("rung", rung, 1)
    if threads is not None:
        whole_number("threads", threads, 1, MAX_THREADS)
    if budget_ms is None:
        if preset != DEFAULT_PRESET:
            raise ArgumentError(
                "the preset {} is for a frame budget; give budget_ms, too".format(shown(preset))
            )
        return
    try:
        sound = not _is_truth(budget_ms) and math.isfinite(budget_ms) and budget_ms > 0
    except (TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise ArgumentError(
            "budget_ms is {}; it must be a number of milliseconds above 0".format(shown(budget_ms))
        )


def shown(value: Any) -> str:
    """Return a value for a message, its middle left out if it is long."""
    text = repr(value)
    return text if len(text) <= 200 else "{} ... {}".format(text[:120], text[-60:])


def _index(value: Any) -> Optional[int]:
    try:
        return operator.index(value)
    except TypeError:
        return None


def _is_truth(value: Any) -> bool:
    return type(value).__name__ in ("bool", "bool_")
