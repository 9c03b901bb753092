"""Programs that a test starts and presses Ctrl-C on."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def _take_signals() -> None:
    """Undo what shells and nohup do to background jobs, whose children ignore signals as well."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def interruptible(
    command: Sequence[str | Path], **options: Any
) -> Iterator["subprocess.Popen[str]"]:
    """Start a program that can be interrupted, however the tests were started, and always end it.

    Args:
        command: the program and its arguments.
        options: of `subprocess.Popen`, which gives text.
    """
    process = subprocess.Popen(command, text=True, preexec_fn=_take_signals, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
