"""Where the loop leaves its newest picture, and viewers take it; none of them holds up the loop."""

import threading
import time
from contextlib import contextmanager
from typing import Iterator, Optional

from sam2lite.runtimes.serve.picture import Picture
from sam2lite.runtimes.serve.refused import RefusedError

MOST_VIEWERS = 8
# More pictures a second would make the loop slower and hardly look better.
PICTURE_PERIOD_S = 1 / 15.0


class Board:
    """Holds one picture, the newest; whoever is slow misses some.

    All viewers get the same pictures, so that each is encoded once.
    """

    def __init__(self, period_s: float = PICTURE_PERIOD_S) -> None:
        """Start without a picture.

        Args:
            period_s: until the next one is due.
        """
        self._changed = threading.Condition()
        self._period_s = period_s
        self._due_s = 0.0
        self._newest: Optional[Picture] = None
        self._viewers = 0
        self._is_closed = False

    @property
    def viewers(self) -> int:
        """How many there are."""
        return self._viewers

    @property
    def newest(self) -> Optional[Picture]:
        """The last picture that was put up; None before the first."""
        return self._newest

    def is_due(self) -> bool:
        """Return whether the last picture has been up for long enough."""
        return time.monotonic() >= self._due_s

    def put(self, picture: Picture) -> None:
        """Put a picture up in the place of the last."""
        # A loop that is a little faster than pictures are due must not lose every second one.
        self._due_s = max(self._due_s + self._period_s, time.monotonic())
        with self._changed:
            self._newest = picture
            self._changed.notify_all()

    def wait(self, after: int, timeout_s: float) -> Optional[Picture]:
        """Return a picture as soon as there is a newer one.

        Args:
            after: the serial of the last that the caller has seen.
            timeout_s: to wait at most.

        Returns:
            The picture; None if none came in time.

        Raises:
            RefusedError: the server is about to end.
        """
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._is_closed:
                if self._newest is not None and self._newest.serial > after:
                    return self._newest
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return None
                self._changed.wait(left_s)
        raise RefusedError(503, "the server is about to end")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count a viewer while the block runs.

        Raises:
            RefusedError: there are too many.
        """
        with self._changed:
            if self._viewers >= MOST_VIEWERS:
                raise RefusedError(
                    503,
                    "{} viewers are the most at a time; close another page first".format(
                        MOST_VIEWERS
                    ),
                )
            self._viewers += 1
        try:
            yield
        finally:
            with self._changed:
                self._viewers -= 1

    def close(self) -> None:
        """Let all that wait go."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
