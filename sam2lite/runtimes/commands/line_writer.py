"""Lines for a reader that may be slow, or gone: whoever writes them never waits."""

import threading
from collections import deque
from typing import Any, Callable, Deque, Optional

_MOST_WAITING = 256
_PATIENCE_S = 1.0  # for the last lines


class LineWriter:
    """Writes lines from a thread of its own; what the reader does not take in time is dropped.

    Attributes:
        written: lines that were written.
        dropped: lines that were not, because too many were waiting.
        failure: why nothing is written any more, such as a reader who has left; None if all is
            well.
    """

    def __init__(self, open_it: Callable[[], Any]) -> None:
        """Start.

        Args:
            open_it: returns what has `write(bytes)`, `flush()` and `close()`; it may wait.
        """
        self.written = 0
        self.dropped = 0
        self.failure: Optional[OSError] = None
        self._open = open_it
        self._waiting: Deque[bytes] = deque()
        self._changed = threading.Condition()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="line-writer", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Leave a line, which ends in a line break, to be written."""
        with self._changed:
            if self.failure is not None:
                return
            if len(self._waiting) >= _MOST_WAITING:
                self.dropped += 1
                return
            self._waiting.append(line)
            self._changed.notify()

    def close(self) -> None:
        """Write what is waiting, for a second at most, and end."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join(_PATIENCE_S)
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting.clear()

    def _run(self) -> None:
        try:
            stream = self._open()
            try:
                self._write_on(stream)
            finally:
                stream.close()
        except OSError as error:
            with self._changed:
                self.failure = error
                self._waiting.clear()

    def _write_on(self, stream: Any) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._ends):
                    self._changed.wait()
                if not self._waiting:
                    return
                line = self._waiting.popleft()
            stream.write(line)
            stream.flush()
            self.written += 1
