"""Signals that end a command: Ctrl-C, SIGTERM and SIGHUP are cleaned up after in the same way.

All three become a KeyboardInterrupt, and the exit code is 128 and the number, as of a shell. While
a program starts and while it ends, there is nothing to clean up, and it leaves at once. Within an
import no exception is raised: extension modules turn it into an ImportError, as if they were not
installed, and Python sometimes prints and forgets it.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Callable, Iterator, List, Optional

_AGAIN_S = 0.02
# Whoever interrupts a group of processes and the command itself means it once.
_ONCE_S = 1.0
_IMPORTS = "<frozen importlib"
_HOOK = "unraisablehook"

_received = None  # type: Optional[int]
_received_s = 0.0
_in_order = False
_usual_hook = vars(sys).get(_HOOK)  # type: Any
_base = None  # type: Optional[FrameType]


def leave_at_once() -> None:
    """From now on, let a signal end the process without a word; nothing needs to be cleaned up."""
    signal.setitimer(signal.ITIMER_REAL, 0)  # one that was put off would come after Python's end
    _install(_leave)


def clean_up_after() -> None:
    """From now on, raise KeyboardInterrupt for a signal, where the caller can clean up after it."""
    global _base
    _base = sys._getframe(1)
    signal.signal(signal.SIGALRM, _late)
    if _HOOK in vars(sys):  # from Python 3.8 on
        vars(sys)[_HOOK] = _forgotten
    _install(_interrupt)


@contextlib.contextmanager
def ending_in_order(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first signal during the block ask for its end; a second one does what it did before.

    Elsewhere than in the main thread, which alone is told of signals, nothing changes.

    Args:
        stop: what a signal calls; it must return at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _signals()}

    def ask(number: int, frame: Optional[FrameType]) -> None:
        global _received, _received_s
        _received, _received_s = number, time.monotonic()
        restore()
        stop()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    _install(ask)
    try:
        yield
        global _in_order
        _in_order = _received is not None
    finally:
        restore()


def ended_in_order() -> bool:
    """Return whether a signal only ended a block of `ending_in_order` early."""
    return _in_order


def signal_name() -> Optional[str]:
    """Return the name of the signal that this process has received, such as SIGTERM, or None."""
    return None if _received is None else signal.Signals(_received).name


def interrupted() -> Optional[int]:
    """Return the exit code of a process that has received a signal; None if it has not."""
    return None if _received is None else 128 + _received


def _install(handler: Callable[[int, Optional[FrameType]], None]) -> None:
    for number in _signals():
        # One that the caller ignores stays ignored, as under nohup.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _signals() -> List[int]:
    return [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")]


def _leave(number: int, frame: Optional[FrameType]) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(128 + number)


def _interrupt(number: int, frame: Optional[FrameType]) -> None:
    global _received, _received_s
    now_s = time.monotonic()
    if _received is None:
        _received = number
    elif now_s - _received_s < _ONCE_S:
        return
    _received_s = now_s
    _raise(frame)


def _late(number: int, frame: Optional[FrameType]) -> None:
    _raise(frame)


def _raise(frame: Optional[FrameType]) -> None:
    if _is_importing(frame):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        return
    raise KeyboardInterrupt


def _is_importing(frame: Optional[FrameType]) -> bool:
    """Return whether what was interrupted is an import of the command's, and not of its caller."""
    while frame is not None and frame is not _base:
        if frame.f_code.co_filename.startswith(_IMPORTS):
            return True
        frame = frame.f_back
    return False


def _forgotten(unraisable: Any) -> None:
    """Raise again what was raised where Python can only print it, such as in a destructor."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
    else:
        _usual_hook(unraisable)
