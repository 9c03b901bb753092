"""Batches made ahead in another process, so that training never waits for the generator."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType

import cv2
import torch

from sam2lite.data.spawning import spawn_context
from sam2lite.training.batches import Batch, BatchShape, make_batch

AHEAD = 3  # batches in flight


class Feed:
    """Hands out the batches of steps in order; each is a pure function of seed, rank and step."""

    def __init__(
        self,
        seed: int,
        rank: int,
        first_step: int,
        shape_of: Callable[[int], BatchShape],
        period: int | None = None,
        data: str | None = None,
    ) -> None:
        """Start making batches.

        Args:
            seed: of the run.
            rank: of this process.
            first_step: whose batch is handed out first.
            shape_of: gives the shape of a step's batch, some steps before it is due.
            period: steps after which the seeds of batches repeat; None for never.
            data: path of a data set; clips are generated if not given.
        """
        self._seed, self._rank, self._step, self._shape_of = seed, rank, first_step, shape_of
        self._period, self._data = period, data
        self._executor = ProcessPoolExecutor(1, spawn_context(), initializer=_one_thread)
        self._flying: deque[Future[Batch]] = deque()

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def next(self) -> Batch:
        """Return the next step's batch and start on a further one."""
        while len(self._flying) < AHEAD:
            index = self._step % self._period if self._period else self._step
            seed = (self._seed, self._rank, index)
            shape = self._shape_of(self._step)
            self._flying.append(self._executor.submit(make_batch, seed, shape, None, self._data))
            self._step += 1
        return self._flying.popleft().result()


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
