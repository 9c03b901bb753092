"""All files of a list, a few at a time."""

import queue
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Lock, Thread

from sam2lite.data.downloads.links import Link
from sam2lite.data.downloads.transfer import Outcome, fetch

_TICK_S = 0.5
_PARTING_S = 2.0  # for threads to leave a file as it is, before the process does not wait for them


class Batch:
    """Files that are being fetched by several threads.

    Attributes:
        came_bytes: of all files together, so far.
    """

    def __init__(self, links: Sequence[Link], folder: Path, jobs: int) -> None:
        """Take links over; nothing is fetched before `outcomes` is asked.

        Args:
            links: of the files.
            folder: that they come to; made if missing.
            jobs: how many files are fetched at a time.
        """
        self.came_bytes = 0
        self._links = links
        self._folder = folder
        self._jobs = min(jobs, len(links))
        self._lock = Lock()
        self._stop = Event()

    def outcomes(self) -> Iterator[Outcome | None]:
        """Yield what became of every file as soon as it is known, and None twice a second.

        Whatever ends this early leaves files that have not come whole as they are, to be gone on
        with.
        """
        waiting: queue.SimpleQueue[Link] = queue.SimpleQueue()
        done: queue.SimpleQueue[Outcome | Exception] = queue.SimpleQueue()
        for link in self._links:
            waiting.put(link)
        threads = [
            Thread(target=self._work, args=(waiting, done), daemon=True) for _ in range(self._jobs)
        ]
        for thread in threads:
            thread.start()
        try:
            left = len(self._links)
            while left:
                try:
                    outcome = done.get(timeout=_TICK_S)
                except queue.Empty:
                    yield None
                    continue
                if isinstance(outcome, Exception):
                    raise outcome
                left -= 1
                yield outcome
        finally:
            self._stop.set()
            end_s = time.monotonic() + _PARTING_S
            for thread in threads:
                thread.join(max(0.0, end_s - time.monotonic()))

    def _work(
        self, waiting: queue.SimpleQueue[Link], done: queue.SimpleQueue[Outcome | Exception]
    ) -> None:
        while not self._stop.is_set():
            try:
                link = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put(fetch(link, self._folder, self._stop, self._count))
            except Exception as error:  # somebody waits for this thread
                done.put(error)

    def _count(self, size: int) -> None:
        with self._lock:
            self.came_bytes += size
