"""Records of frames while they are fresh: a line of JSON each, for other programs.

    -            standard output
    FILE         a file, a pipe (mkfifo) or a device such as /dev/fd/3
    unix:PATH    a socket that up to eight readers may connect to, such as `nc -U PATH`; each gets
                 the lines from then on

The loop never waits for a reader: what one does not take in time is dropped for him and counted.
"""

import contextlib
import functools
import os
import socket
import stat
import sys
import threading
from types import TracebackType
from typing import Any, List, Optional, Type

from sam2lite.errors import OutputError
from sam2lite.files.atomic import check_file
from sam2lite.files.reading import printable
from sam2lite.runtimes.commands.line_writer import LineWriter

SOCKET = "unix:"
_MOST_READERS = 8
_TO_OTHERS = "cannot stream to '{}': {}; give -, a file or unix:PATH"


class RecordStream:
    """A context manager that gives lines to readers."""

    def __init__(self) -> None:
        self._writers: List[LineWriter] = []

    def __enter__(self) -> "RecordStream":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        for writer in list(self._writers):
            writer.close()

    @property
    def dropped(self) -> int:
        """Lines that a reader did not take in time, of all readers together."""
        return sum(writer.dropped for writer in self._writers)

    def put(self, line: str) -> None:
        """Give a line, without its end, to whoever reads."""
        encoded = line.encode("utf-8") + b"\n"
        for writer in list(self._writers):
            writer.put(encoded)

    def warnings(self) -> List[str]:
        """Return what was odd about the readers."""
        found = []
        if self.dropped:
            found.append(
                "{} lines of the stream were dropped: they were read too slowly".format(
                    self.dropped
                )
            )
        return found


class _OneReader(RecordStream):
    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writers = [writer]

    def warnings(self) -> List[str]:
        (writer,) = self._writers
        found = super().warnings()
        if writer.failure is not None:
            found.append(
                "the stream ended after {} lines: {}".format(
                    writer.written, writer.failure.strerror or writer.failure
                )
            )
        return found


class _Socket(RecordStream):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._listener = _listen(path)
        self._thread = threading.Thread(target=self._accept, name="stream-readers", daemon=True)
        self._thread.start()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._listener.close()
        with contextlib.suppress(OSError):  # somebody else was quicker
            os.unlink(self._path)
        super().__exit__(kind, error, trace)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._writers = [each for each in self._writers if each.failure is None]
            if len(self._writers) >= _MOST_READERS:
                connection.close()
                continue
            self._writers.append(LineWriter(functools.partial(_lines_to, connection)))


def _lines_to(connection: socket.socket) -> Any:
    lines = connection.makefile("wb")
    connection.close()  # when the lines are closed
    return lines


def open_stream(spec: str, force: bool = False) -> RecordStream:
    """Open what records are streamed to; see the module.

    Args:
        spec: `-`, a path or `unix:PATH`.
        force: replace a file that is there.

    Raises:
        OutputError: it cannot be written, or somebody listens on the socket already.
    """
    if spec == "-":
        return _OneReader(LineWriter(_standard_output))
    if spec.startswith(SOCKET):
        return _Socket(spec[len(SOCKET) :])
    try:
        if _is_special(spec):
            return _OneReader(LineWriter(lambda: open(spec, "wb")))  # may wait
        check_file(spec, force)
        stream = open(spec, "wb")  # noqa: SIM115  # the writer's, until it ends
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(_TO_OTHERS.format(printable(spec), reason)) from error
    return _OneReader(LineWriter(lambda: stream))


def _is_special(path: str) -> bool:
    """Return whether a path is a pipe or a device, of which nothing can be replaced."""
    if not os.path.exists(path):
        return False
    mode = os.stat(path).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _standard_output() -> Any:
    # A copy of the descriptor, so that a reader who has left troubles nobody else.
    return os.fdopen(os.dup(sys.stdout.fileno()), "wb")


def _listen(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OutputError("this system has no Unix sockets; stream to - or to a file")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead(path)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(_MOST_READERS)
    except (OSError, ValueError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise OutputError(_TO_OTHERS.format(printable(SOCKET + path), reason)) from error
    return listener


def _remove_dead(path: str) -> None:
    """Remove a socket that a run left when it was killed: nobody answers there."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        try:
            caller.connect(path)
        except OSError:
            os.unlink(path)
