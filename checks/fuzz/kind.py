"""What a kind of input has to give for the driver to make and try thousands of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORRECT = "correct"


@dataclass(frozen=True)
class Kind:
    """One kind of input that strangers can hand over.

    `prepare` and `attempt` run in a worker process whose working folder is watched; nothing but the
    input's own folder may change.

    Args:
        name: of the kind; one word.
        count: of inputs in a whole run.
        prepare: fills an empty folder, once per worker; returns what inputs are made from.
        mutate: writes one mutated input into an empty folder; returns what is to be opened.
        attempt: opens and uses it as a user would; returns `CORRECT`, or raises `Sam2LiteError` for
            what it refuses. Any other exception, and any other value, is a finding.
    """

    name: str
    count: int
    prepare: Callable[[Path], Any]
    mutate: Callable[[Any, random.Random, Path], Path]
    attempt: Callable[[Any, Path], str]
