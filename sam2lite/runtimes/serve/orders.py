"""What viewers ask of the loop: a bounded queue of orders, each of which is answered."""

import queue
import threading
from typing import Any, Callable, Dict, Optional

from sam2lite.runtimes.serve.refused import RefusedError

MOST_WAITING = 16
PATIENCE_S = 30.0

Answer = Dict[str, Any]


class Order:
    """Something to be done by the thread that owns the segmenter, between two frames."""

    def __init__(self, do: Callable[[Any], Answer]) -> None:
        """Remember what to do.

        Args:
            do: is given the loop, and returns what JSON can hold.
        """
        self._do = do
        self._is_done = threading.Event()
        self._answer: Answer = {}
        self._error: Optional[Exception] = None

    def carry_out(self, loop: Any) -> None:
        """Do it; whatever goes wrong is told to who asked, and to nobody else."""
        try:
            self._answer = self._do(loop)
        except Exception as error:
            self._error = error
        finally:
            self._is_done.set()

    def refuse(self, error: Exception) -> None:
        """Answer with an error instead of doing it."""
        self._error = error
        self._is_done.set()

    def answer(self, patience_s: float) -> Answer:
        """Wait until it is done and return the answer, or raise what went wrong.

        Raises:
            RefusedError: it was not done in time.
        """
        if not self._is_done.wait(patience_s):
            raise RefusedError(
                504, "the frame loop has not come to it in {:g} s".format(patience_s)
            )
        if self._error is not None:
            raise self._error
        return self._answer


class OrderBook:
    """The orders that wait."""

    def __init__(self) -> None:
        """Start empty and open."""
        self._waiting: "queue.Queue[Order]" = queue.Queue(MOST_WAITING)
        self._is_closed = False

    def ask(self, do: Callable[[Any], Answer], patience_s: float = PATIENCE_S) -> Answer:
        """Have something done and return its answer; for any thread but the loop's.

        Args:
            do: see `Order`.
            patience_s: to wait at most.

        Raises:
            RefusedError: too many wait already, it was not done in time, or the server is about to
                end.
            Exception: what `do` raised.
        """
        order = Order(do)
        try:
            self._waiting.put_nowait(order)
        except queue.Full:
            raise RefusedError(503, "the frame loop is behind with what it was asked; try again")
        if self._is_closed:
            self.close()
        return order.answer(patience_s)

    def next(self, timeout_s: float = 0.0) -> Optional[Order]:
        """Return the order that has waited longest; None if none came in time."""
        try:
            return self._waiting.get(timeout_s > 0, timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Refuse all that wait, and all to come."""
        self._is_closed = True
        order = self.next()
        while order is not None:
            order.refuse(RefusedError(503, "the server is about to end"))
            order = self.next()
