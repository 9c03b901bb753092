"""Processes that `multiprocessing` spawns: they run nothing of the current folder, and are quiet.

See `sam2lite.runtimes.commands.children` for the others.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import context, resource_tracker
from multiprocessing.connection import wait

from sam2lite.runtimes.commands.children import environment


@contextmanager
def sheltered() -> Iterator[None]:
    """While the block lasts, processes that `multiprocessing` spawns start safe.

    They do not look into the current folder, and Ctrl-C does not reach them: the one that waits for
    them ends them, and they have nothing to say. One that wants it calls `hear_interrupts`.
    """
    # Not `environment`, which the library gives no place for. Before Python 3.11 this does nothing,
    # and only PCs come here.
    before = {name: os.environ.get(name) for name in ("PYTHONSAFEPATH", "PYTHONPATH")}
    safe = environment(PYTHONSAFEPATH="1")
    os.environ.update({name: safe[name] for name in before if name in safe})
    # Blocked and not ignored, so that one which comes now is not lost to this process.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def hear_interrupts() -> None:
    """Let Ctrl-C reach this process, which was started in `sheltered`."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


class _Process(context.SpawnProcess):
    def start(self) -> None:
        with sheltered():
            super().start()

    def run(self) -> None:
        """Work, in the new process, for as long as there is somebody to work for."""
        threading.Thread(target=_end_with_parent, daemon=True).start()
        super().run()


def _end_with_parent() -> None:
    # Workers of a pool wait for work from a pipe that they hold open themselves.
    from multiprocessing import parent_process  # from Python 3.8 on, as on all hosts

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


class _Spawn(context.SpawnContext):
    Process = _Process


def spawn_context() -> context.SpawnContext:
    """Return what gives `multiprocessing` processes that are spawned, every one `sheltered`."""
    with sheltered():
        resource_tracker.ensure_running()  # a process as well, which the first lock would start
    return _Spawn()
