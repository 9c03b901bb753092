"""What the fields of a JSON file may hold, as data: a check for every field, in one place.

A check is a function of a value and of the place where it was read; it raises ValueError with that
place and the value. Files come from strangers, so that a reader may take what has passed its check
as it is.
"""

import math
from typing import Any, Callable, List, Mapping, Optional, Sequence

Check = Callable[[Any, str], None]

MOST_TEXT = 1 << 16  # characters
MOST_WORD = 256
MOST_ITEMS = 1 << 16
_SHOWN = 60


def anything(value: Any, where: str) -> None:
    """Take every value: nobody reads it but to print it."""


def text(value: Any, where: str) -> None:
    """Take text of up to `MOST_TEXT` characters."""
    if not isinstance(value, str) or len(value) > MOST_TEXT:
        raise _wrong(value, where, "text")


def word(value: Any, where: str) -> None:
    """Take text that is shown in many places: short, and nothing that a terminal would act on."""
    if not isinstance(value, str) or len(value) > MOST_WORD or not value.isprintable():
        raise _wrong(value, where, "words that can be shown")


def flag(value: Any, where: str) -> None:
    """Take true and false."""
    if not isinstance(value, bool):
        raise _wrong(value, where, "true or false")


def number(value: Any, where: str) -> None:
    """Take any number that is finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _wrong(value, where, "a number")


def whole(least: int, most: int) -> Check:
    """Return a check that takes whole numbers from `least` to `most`."""

    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _wrong(value, where, "a whole number from {} to {}".format(least, most))

    return check


def one_of(known: Sequence[str]) -> Check:
    """Return a check that takes some words alone."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str) or value not in known:
            raise _wrong(value, where, " or ".join(known))

    return check


def digits(length: int) -> Check:
    """Return a check that takes hexadecimal digits, as of a hash."""

    def check(value: Any, where: str) -> None:
        if (
            not isinstance(value, str)
            or len(value) != length
            or not set(value) <= set("0123456789abcdef")
        ):
            raise _wrong(value, where, "{} hexadecimal digits".format(length))

    return check


def or_none(check: Check) -> Check:
    """Return a check that takes null, too."""

    def both(value: Any, where: str) -> None:
        if value is not None:
            check(value, where)

    return both


def items(check: Check, least: int = 0, most: int = MOST_ITEMS) -> Check:
    """Return a check of a list, with a check for every item."""

    def check_all(value: Any, where: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise _wrong(value, where, "a list of {} to {}".format(least, most))
        for index, item in enumerate(value):
            check(item, "{}[{}]".format(where, index))

    return check_all


def table(check: Check, key: Check = text, most: int = MOST_ITEMS) -> Check:
    """Return a check of an object with any names, with one check for all values."""

    def check_all(value: Any, where: str) -> None:
        if not isinstance(value, dict) or len(value) > most:
            raise _wrong(value, where, "an object of up to {}".format(most))
        for name, held in value.items():
            key(name, "a name in " + where)
            check(held, _within(where, name))

    return check_all


def record(
    needed: Mapping[str, Check],
    may: Optional[Mapping[str, Check]] = None,
    others: bool = False,
) -> Check:
    """Return a check of an object whose names are known.

    Args:
        needed: the check of every field that must be there.
        may: of those that may be there.
        others: whether there may be fields beside these, which nobody reads.
    """
    known = dict(may or {}, **needed)

    def check_all(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(value, where, "an object")
        missing = [name for name in needed if name not in value]
        if missing:
            raise ValueError("{} is missing".format(_within(where, missing[0])))
        for name, held in value.items():
            if name in known:
                known[name](held, _within(where, name))
            elif not others:
                raise ValueError("{} is unknown".format(_within(where, name)))

    return check_all


def ascending(value: List[int], where: str) -> None:
    """Raise ValueError unless numbers ascend."""
    if any(value[index] >= after for index, after in enumerate(value[1:])):
        raise _wrong(value, where, "ascending")


def _within(where: str, name: str) -> str:
    name = name if len(name) <= _SHOWN else name[: _SHOWN - 3] + "..."
    return "{}.{}".format(where, name) if where else name


def _wrong(value: Any, where: str, wanted: str) -> ValueError:
    if isinstance(value, (dict, list)):
        shown = "{} of {}".format("an object" if isinstance(value, dict) else "a list", len(value))
    elif isinstance(value, str):
        shown = ascii(value[: _SHOWN + 1])
    else:
        shown = str(value)
    shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
    return ValueError("{} is {}, not {}".format(where or "it", shown, wanted))
