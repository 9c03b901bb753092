"""What an export says while it runs: phases with their steps, and lines in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str], None]


class Progress:
    """Says nothing. Commands and callers who want to see something override both methods."""

    @contextmanager
    def phase(self, title: str, steps: int | None) -> Iterator[Report]:
        """Give a function to call after each step of a phase, with the name of the step.

        Args:
            title: one word, such as `calibrate` or `export`.
            steps: how many there are at most; None where nobody knows.
        """
        yield lambda name: None

    def tell(self, line: str) -> None:
        """Take a sentence about what was found or decided."""


SILENT = Progress()
