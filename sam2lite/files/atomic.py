"""Files that appear whole or not at all, and only where nothing but a file can be lost."""

import os
import stat
from contextlib import contextmanager
from typing import Any, Iterator

from sam2lite.errors import OutputError
from sam2lite.files.reading import printable
from sam2lite.files.unfinished import (
    PARTIAL,
    clear_unfinished,
    new_file,
    release,
    remove,
    unfinished_name,
)


def check_file(path: str, force: bool) -> None:
    """Check that a file could be written, before the work for it begins.

    Args:
        path: of the file; its folder may be missing.
        force: replace a file that is there.

    Raises:
        OutputError: there is something that is no regular file itself, or a file without `force`.
    """
    shown = printable(path)
    try:
        mode = os.lstat(path).st_mode
    except OSError:  # nothing there; if its folder is at fault, opening it will say so
        return
    if stat.S_ISDIR(mode):
        raise OutputError("'{}' is a folder; give the name of a file".format(shown))
    if not stat.S_ISREG(mode):
        what = "a link" if stat.S_ISLNK(mode) else "a device, pipe or socket"
        raise OutputError(
            "'{}' is {} and is not replaced; give the name of a file".format(shown, what)
        )
    if not force:
        raise OutputError(
            "'{}' exists; add --force to replace it, or choose another name".format(shown)
        )


class Unchanged(Exception):  # noqa: N818  # no error
    """Raised in a block of `replacing`, it ends it: nothing is written, and nobody hears of it."""


@contextmanager
def replacing(path: str, force: bool = True, suffix: str = "") -> Iterator[str]:
    """Give the path of an empty file that takes its place at `path` once the block has succeeded.

    Whatever ends the block early leaves an older file as it was, and nothing new. What earlier
    processes left unfinished, because they were killed, is removed.

    Args:
        path: of the file; its folder must exist.
        force: replace a file that is there; without it one that appears during the block is kept.
        suffix: of the temporary name, for writers that tell a format by it.

    Raises:
        OutputError: see `check_file`.
        OSError: it cannot be written.
    """
    check_file(path, force)
    clear_unfinished(path)
    partial = unfinished_name(path, PARTIAL, suffix)
    held = new_file(partial)
    try:
        yield partial
        _sync(partial)  # boards are unplugged
        check_file(path, force)
        if force:
            os.replace(partial, path)
        else:
            _move_onto_nothing(partial, path)
    except Unchanged:
        pass
    finally:
        release(held)
        if os.path.lexists(partial):
            remove(partial)


def write_atomically(path: str, content: Any) -> None:
    """Write a file that appears whole or not at all, with its folder if that is missing.

    Args:
        path: of the file; an older one is replaced.
        content: bytes, or anything else with a buffer.

    Raises:
        OutputError: there is something that is no regular file.
        OSError: it cannot be written.
    """
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with replacing(path) as partial, open(partial, "wb") as stream:
        stream.write(content)


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move_onto_nothing(source: str, target: str) -> None:
    try:
        os.link(source, target)  # unlike a rename, it replaces nothing
    except FileExistsError:
        check_file(target, False)
        raise
    except OSError:  # a file system without links
        os.rename(source, target)
