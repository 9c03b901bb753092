"""Progress on standard error: a bar where somebody is looking, elsewhere a line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich import progress as rich
from rich.console import Console

from sam2lite.exporter.progress import Progress

# Where there is no terminal: the first line after so long, and then ever fewer, down to one in so
# long. A log must not grow with a stream that never ends.
FIRST_LINE_S = 10.0
LONGEST_PAUSE_S = 600.0


class _Bar(rich.Progress):
    """A display of one task, in lines where standard error is no terminal."""

    def __init__(self, *columns: Any, **settings: Any) -> None:
        super().__init__(*columns, **settings)
        self._started_s = time.monotonic()
        self._next_s = FIRST_LINE_S

    def advance(self, task_id: rich.TaskID, advance: float = 1) -> None:
        """See `rich.progress.Progress`."""
        super().advance(task_id, advance)
        self._tell(task_id)

    def update(self, task_id: rich.TaskID, **fields: Any) -> None:
        """See `rich.progress.Progress`."""
        super().update(task_id, **fields)
        self._tell(task_id)

    def _tell(self, task_id: rich.TaskID) -> None:
        passed_s = time.monotonic() - self._started_s
        if not self.disable or passed_s < self._next_s:
            return
        self._next_s = passed_s + min(LONGEST_PAUSE_S, passed_s)
        task = self._tasks[task_id]
        of = "" if task.total is None else f" of {task.total:.0f}"
        typer.echo(f"{task.description}: {task.completed:.0f}{of}, {passed_s:.0f} s", err=True)


def progress_bar() -> rich.Progress:
    """Return a progress display with a count and an ETA; lines unless stderr is a terminal."""
    return _Bar(
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
    """Phases of an export on standard error: a bar each on a terminal, elsewhere lines."""

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
