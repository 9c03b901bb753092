"""Progress on standard error, and only where somebody is looking."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bar() -> Progress:
    """Return a progress display with a count and an ETA; silent unless stderr is a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


@contextmanager
def shown_progress(title: str) -> Iterator[Callable[[int | None], Callable[[], None]]]:
    """Give a function that takes how many steps there will be and returns what to call after each.

    Args:
        title: what to call the steps.
    """
    with progress_bar() as bar:

        def begin(total: int | None) -> Callable[[], None]:
            task = bar.add_task(title, total=total)
            return lambda: bar.advance(task)

        yield begin
