"""How many requests a client may make: a bucket of tokens each, for a bounded number of clients."""

import threading
import time
from collections import OrderedDict
from typing import Tuple

MOST_CLIENTS = 256


class RateLimit:
    """Lets a client make a burst of requests, and then so many a second."""

    def __init__(self, per_second: float, burst: int) -> None:
        """Start with full buckets."""
        self._per_second = per_second
        self._burst = float(burst)
        self._left: "OrderedDict[str, Tuple[float, float]]" = OrderedDict()
        self._lock = threading.Lock()

    def takes(self, client: str) -> bool:
        """Return whether a client may make one more request now, and count it."""
        now_s = time.monotonic()
        with self._lock:
            left, seen_s = self._left.pop(client, (self._burst, now_s))
            left = min(self._burst, left + (now_s - seen_s) * self._per_second)
            is_taken = left >= 1.0
            self._left[client] = (left - is_taken, now_s)
            while len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
        return is_taken
