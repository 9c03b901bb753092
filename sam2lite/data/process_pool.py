"""The same work on many items in several processes, each with one thread.

Two of them beat one with two threads.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

import cv2

from sam2lite.data.spawning import spawn_context
from sam2lite.errors import Sam2LiteError

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_in_processes(
    new_worker: Callable[[int | None], Callable[[Item], Result]],
    items: Sequence[Item],
    workers: int = 1,
) -> Iterator[Result]:
    """Yield what is made of every item, in order.

    Args:
        new_worker: makes what works on the items one after the other, once in every process; it is
            given the threads that it may use, None for the backend's default.
        items: what is worked on; they are sent to the processes, as `new_worker` is.
        workers: processes; 1 is this one, with all its threads.

    Raises:
        Sam2LiteError: a process was killed, or what a worker raises.
    """
    workers = min(workers, len(items))
    if workers == 1:
        work = new_worker(None)
        for item in items:
            yield work(item)
        return
    pool = ProcessPoolExecutor(workers, spawn_context(), _start, (new_worker,))
    try:
        yield from pool.map(_work_on, items)
    except BrokenProcessPool:
        raise Sam2LiteError(
            f"one of {workers} evaluation processes ended early, perhaps for want of memory; "
            "use fewer of them with --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_work: Callable[[Any], Any] | None = None  # of this process, if it is one of the pool's


def _start(new_worker: Callable[[int | None], Callable[[Any], Any]]) -> None:
    global _work
    cv2.setNumThreads(1)
    _work = new_worker(1)


def _work_on(item: Any) -> Any:
    if _work is None:
        raise RuntimeError("_work_on runs in the pool's processes alone, after _start")
    return _work(item)
