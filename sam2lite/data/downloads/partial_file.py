"""What has come of a file, and what the server said that it is a part of."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from sam2lite.data.downloads.links import PARTIAL, Link
from sam2lite.errors import DownloadError
from sam2lite.files.atomic import write_atomically
from sam2lite.files.json_reading import read_json

_FACTS = ".json"


@dataclass(frozen=True)
class ServerFacts:
    """By what a server tells one version of a file from another.

    Attributes:
        size: of the whole file, bytes; None if it does not say.
        etag: strong entity tag.
        modified: date of the last change.
    """

    size: int | None = None
    etag: str | None = None
    modified: str | None = None

    @property
    def validator(self) -> str | None:
        """What a request to go on is made conditional with; None where there is nothing."""
        return self.etag or self.modified

    def same_as(self, other: "ServerFacts") -> bool:
        """Return whether nothing that both know differs."""
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)


class PartialFile:
    """The part of a file that is there; held by one process at a time.

    Attributes:
        path: of the part.
    """

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self.path = path
        self._stream = stream
        self._facts_path = path.with_name(path.name + _FACTS)

    @property
    def size(self) -> int:
        """How much has come, bytes."""
        return os.fstat(self._stream.fileno()).st_size

    def facts(self) -> ServerFacts | None:
        """Return what the part is of; None where that is not known, so that it is worth nothing."""
        try:
            record = read_json(str(self._facts_path), DownloadError, "")
            found = ServerFacts(**record)
        except (DownloadError, TypeError):
            return None
        fits = all(isinstance(each, str | None) for each in (found.etag, found.modified))
        return found if fits and isinstance(found.size, int | None) else None

    def start_over(self, facts: ServerFacts | None) -> None:
        """Throw away what has come; what comes next is of another version, None for none yet."""
        with _writing():
            self._stream.truncate(0)
            self._facts_path.unlink(missing_ok=True)
            if facts is not None:
                write_atomically(str(self._facts_path), json.dumps(asdict(facts)).encode())

    def append(self, piece: bytes) -> None:
        """Write what came next."""
        with _writing():
            self._stream.write(piece)
            self._stream.flush()

    def finish(self, target: Path) -> None:
        """Give the file, which is whole, its name."""
        with _writing():
            os.fsync(self._stream.fileno())
            self.path.replace(target)
            self._facts_path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Remove the part if nothing has come."""
        if not self.size and self.path.exists():
            self.path.unlink()
            self._facts_path.unlink(missing_ok=True)


@contextmanager
def partial_file(target: Path) -> Iterator[PartialFile]:
    """Open the part of a file that is there, or an empty one, with its folder.

    Raises:
        DownloadError: another process has it, or it cannot be written.
    """
    path = target.with_name(target.name + PARTIAL)
    with _writing():
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have given it its name since it was opened.
            is_held = path.stat().st_ino == os.fstat(stream.fileno()).st_ino
        except OSError:
            is_held = False
        if not is_held:
            raise DownloadError("another process is downloading it")
        part = PartialFile(stream, path)
        try:
            yield part
        finally:
            part.leave()


def fault_of(path: Path, link: Link) -> str:
    """Return in what a file differs from what its list says; empty if in nothing."""
    size = path.stat().st_size
    if link.size is not None and size != link.size:
        return f"it has {size} bytes, and the list says {link.size}"
    if link.digest is not None:
        algorithm, expected = link.digest
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, algorithm).hexdigest()
        if found != expected:
            return f"its {algorithm.upper()} is {found}, and the list says {expected}"
    return ""


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(f"it cannot be written: {error.strerror or error}") from None
