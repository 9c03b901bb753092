"""Milliseconds by stage of one frame: before the graphs, each graph, and after them."""

import time
from contextlib import contextmanager
from typing import Dict, Iterable, Iterator

PREPROCESS = "preprocess"
POSTPROCESS = "postprocess"
TOTAL = "total"


class StageClock:
    """Adds up time by stage; several objects on one frame add to the same stages."""

    def __init__(self, graphs: Iterable[str]) -> None:
        """Start at 0.

        Args:
            graphs: the stages between the first and the last one, in order.
        """
        self.stage_ms: Dict[str, float] = dict.fromkeys((PREPROCESS, *graphs, POSTPROCESS), 0.0)
        self.total_ms = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside the block to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.stage_ms[name] += 1e3 * (time.perf_counter() - started)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Count the time inside the block to the total."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.total_ms += 1e3 * (time.perf_counter() - started)

    def result(self) -> Dict[str, float]:
        """Return milliseconds by stage, plus `total`."""
        return dict(self.stage_ms, **{TOTAL: self.total_ms})
