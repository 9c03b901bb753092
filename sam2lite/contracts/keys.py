"""Keys of graphs, which become names of files: `mask_decoder@480`, or a name alone."""

import re
from typing import Any

MAX_SIDE = 4096  # of the input, px

_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}(@[1-9][0-9]{0,3})?")


def graph_key(value: Any, where: str) -> None:
    """Check that a value can be the key of a graph, and lead nowhere as a file's name.

    Raises:
        ValueError: it cannot; the message begins with `where`.
    """
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        shown = ascii(value)
        raise ValueError(
            "{} is {}, which is no graph's key; those are words in small letters, with @ and an "
            "input side for some".format(where, shown if len(shown) <= 80 else shown[:77] + "...")
        )
