"""What was found so far, as JSON lines in a file: what `/results.jsonl` downloads.

The first line tells of the run, every other one of a frame (it has `index`) or of what a viewer did
(it has `event`). Memory does not grow with them. In a temporary file, which may lie in memory
itself, only the newest lines are kept.
"""

import json
import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Dict, Iterator, List, Optional, Type

from sam2lite.errors import OutputError
from sam2lite.files.staging import FolderKind

RESULTS_FILE = "results.jsonl"
SERVED = FolderKind("the results of serve", RESULTS_FILE, '"sam2lite_version"', (RESULTS_FILE,))
MOST_TEMPORARY_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 1 << 16


class ResultLines:
    """A context manager that writes lines, and lets other threads read them at any time."""

    def __init__(
        self,
        header: Dict[str, Any],
        folder: Optional[Path] = None,
        most_bytes: int = MOST_TEMPORARY_BYTES,
    ) -> None:
        """Start the file with its first line.

        Args:
            header: tells of the run.
            folder: that exists and gets `results.jsonl`, which is never cut; None for a temporary
                file.
            most_bytes: of a temporary one; the older half goes when it is full.

        Raises:
            OutputError: it cannot be written.
        """
        self._folder = folder
        self._most_bytes = most_bytes
        self._header = line_of(header)
        self._lock = threading.Lock()
        self._readers = 0
        self._parts: List[IO[bytes]] = []
        self._sizes: List[int] = []
        self._begin_part()
        self.write(self._header)

    @property
    def size_bytes(self) -> int:
        """Size of all lines that are kept."""
        return sum(self._sizes)

    def write(self, line: bytes) -> None:
        """Append a line.

        Raises:
            OutputError: the disk is full, or the folder is gone.
        """
        try:
            with self._lock:
                full = self._folder is None and self._sizes[-1] + len(line) > self._most_bytes // 2
                if full and not self._readers:
                    self._begin_part()
                self._parts[-1].seek(self._sizes[-1])
                self._parts[-1].write(line)
                self._sizes[-1] += len(line)
        except OSError as error:
            raise self._output_error(error)

    @contextmanager
    def reading(self) -> Iterator[Iterator[bytes]]:
        """Give the lines that there are now, in pieces of any length; no part goes meanwhile."""
        with self._lock:
            self._readers += 1
            parts = list(zip(list(self._parts), list(self._sizes)))
        try:
            yield self._pieces(parts)
        finally:
            with self._lock:
                self._readers -= 1

    def __enter__(self) -> "ResultLines":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        with self._lock:
            for part, size in zip(self._parts, self._sizes):
                # A signal may have come in the middle of a line.
                with part:
                    part.truncate(size)
            self._parts = []

    def _begin_part(self) -> None:
        try:
            if self._folder is None:
                part: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
            else:
                path = os.path.join(str(self._folder), RESULTS_FILE)
                part = open(path, "w+b", buffering=0)  # noqa: SIM115  # until __exit__
        except OSError as error:
            raise self._output_error(error)
        while len(self._parts) > 1:
            self._parts.pop(0).close()
            self._sizes.pop(0)
        self._parts.append(part)
        self._sizes.append(0)

    def _pieces(self, parts: Any) -> Iterator[bytes]:
        if len(parts) > 1:
            yield self._header
        for part, size in parts:
            place = 0
            while place < size:
                with self._lock:
                    if part.closed:
                        return
                    part.seek(place)
                    piece = part.read(min(_CHUNK_BYTES, size - place))
                if not piece:
                    return
                place += len(piece)
                yield piece

    def _output_error(self, error: OSError) -> OutputError:
        return OutputError(
            "cannot write results to '{}': {}; choose a folder that you may write to, and that has "
            "room, as -o".format(self._folder or tempfile.gettempdir(), error.strerror or error)
        )


def line_of(record: Dict[str, Any]) -> bytes:
    """Return a record as one line."""
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode("utf-8") + b"\n"
