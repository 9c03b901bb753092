"""Milliseconds by stage of one frame."""

import time
from contextlib import contextmanager
from typing import Dict, Iterator

from sam2lite.runtimes.results import STAGES


class StageClock:
    """Adds up time by stage; several objects on one frame add to the same stages."""

    def __init__(self) -> None:
        self.stage_ms: Dict[str, float] = dict.fromkeys(STAGES, 0.0)
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
        return dict(self.stage_ms, total=self.total_ms)
