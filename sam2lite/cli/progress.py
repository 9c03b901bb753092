"""Progress on standard error, and only where somebody is looking."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich import progress as rich
from rich.console import Console

from sam2lite.exporter.progress import Progress


def progress_bar() -> rich.Progress:
    """Return a progress display with a count and an ETA; silent unless stderr is a terminal."""
    return rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeRemainingColumn(),
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


class ShownProgress(Progress):
    """Phases of an export on standard error: a bar each on a terminal, elsewhere a line each."""

    @contextmanager
    def phase(self, title: str, steps: int | None) -> Iterator[Callable[[str], None]]:
        """See `Progress`."""
        with progress_bar() as bar:
            if bar.disable:
                self.tell(title if steps is None else f"{title}: {steps} steps")
            task = bar.add_task(title, total=steps)
            yield lambda name: bar.update(task, advance=1, description=f"{title}: {name}")

    def tell(self, line: str) -> None:
        """See `Progress`."""
        typer.echo(line, err=True)
