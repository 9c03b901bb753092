"""Folders that appear whole or not at all, and in the place of nothing but their own kind."""

import os
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Tuple

from sam2lite.errors import OutputError
from sam2lite.files.mounts import mount_inside
from sam2lite.files.names import is_regular
from sam2lite.files.reading import printable
from sam2lite.files.unfinished import (
    PARTIAL,
    REPLACED,
    HeldError,
    clear_unfinished,
    hold,
    is_unfinished,
    new_folder,
    release,
    remove,
    unfinished_name,
)

_HEAD_BYTES = 1 << 16
_STRAY = (".DS_Store", "*/.DS_Store", "Thumbs.db", "*/Thumbs.db")  # what file browsers leave


class FolderKind(NamedTuple):
    """What a command writes, and how it knows an older one again, which it may replace.

    Attributes:
        what: it is called, such as `a bundle`.
        mark: a file that every such folder has.
        says: that the mark says somewhere in its first 64 KB.
        files: patterns of everything that may be in it, relative to it; `*` stands for `/` too.
    """

    what: str
    mark: str
    says: str
    files: Tuple[str, ...]

    def stranger(self, folder: str) -> Optional[str]:
        """Return what in a folder is not of this kind; None if all of it is."""
        mark = os.path.join(folder, self.mark)
        for root, folders, files in os.walk(folder):
            links = [each for each in folders if os.path.islink(os.path.join(root, each))]
            for name in sorted(files + links):
                path = os.path.relpath(os.path.join(root, name), folder).replace(os.sep, "/")
                known = any(fnmatchcase(path, each) for each in self.files + _STRAY)
                if not known and not is_unfinished(name):
                    return path
        if not is_regular(mark):
            return "no {}".format(self.mark)
        with open(mark, "rb") as stream:
            if self.says.encode("utf-8") not in stream.read(_HEAD_BYTES):
                return "another {}".format(self.mark)
        return None


@contextmanager
def staged_folder(output: Path, force: bool, kind: FolderKind) -> Iterator[Path]:
    """Give a temporary sibling that takes the place of `output` once the block has succeeded.

    Whatever ends the block early, Ctrl-C included, leaves the old folder as it was and nothing new.
    What appears at `output` during the block is never replaced: the block's work is dropped then.

    Args:
        output: the folder to write; made if missing.
        force: replace an older one of this kind.
        kind: what is written.

    Raises:
        OutputError: see `check_replaceable`; it may not be written, or the disk is full.
    """
    target = str(output.resolve())
    check_replaceable(Path(target), force, kind)
    old = _identity(target) if _is_filled(target) else None
    staging = unfinished_name(target, PARTIAL)
    held = None
    try:
        held = new_folder(staging)
        yield Path(staging)
        if old is None:
            _move_onto_nothing(staging, target)
        else:
            _replace(staging, target, old, kind)
    except OSError as error:
        raise OutputError(
            "cannot write '{}': {}; choose a folder that you may write to, and that has "
            "room".format(printable(output), error.strerror or error)
        ) from error
    finally:
        release(held)
        remove(staging)


@contextmanager
def cached_folder(target: Path) -> Iterator[Path]:
    """Give a temporary sibling that becomes a folder of a cache once the block has succeeded.

    What others have put there meanwhile is the same, and is kept.

    Raises:
        OutputError: it cannot be written.
    """
    path = str(target.resolve())
    clear_unfinished(path)
    staging = unfinished_name(path, PARTIAL)
    held = None
    try:
        held = new_folder(staging)
        yield Path(staging)
        if not os.path.isdir(path):
            _move_onto_nothing(staging, path)
    except OSError as error:
        raise OutputError(
            "cannot write '{}': {}; make room, or name another folder for the cache".format(
                printable(target), error.strerror or error
            )
        ) from error
    finally:
        release(held)
        remove(staging)


def check_replaceable(target: Path, force: bool, kind: FolderKind) -> None:
    """Refuse a folder, its path resolved, that `staged_folder` would not write or replace.

    What a killed run left is put in order first.

    Raises:
        OutputError: it is a file, holds the working or the home folder, is mounted, is not empty
            and no `kind` or not to be replaced, or another process is writing it.
    """
    path, shown = str(target), printable(target)
    if clear_unfinished(path):
        raise OutputError(
            "another run is writing '{}' now; wait for it to end, or choose another folder".format(
                shown
            )
        )
    if os.path.lexists(path) and not os.path.isdir(path):
        more = " (--force replaces no more than {})".format(kind.what) if force else ""
        raise OutputError("'{}' is a file; give --output the name of a folder".format(shown) + more)
    if any(target in (kept, *kept.parents) for kept in (Path.cwd(), Path.home())):
        raise OutputError(
            "'{}' holds the working or the home folder and will not be replaced; "
            "give --output a folder of its own".format(shown)
        )
    mounted = mount_inside(path)
    if mounted is not None:
        raise OutputError(
            "'{}' is mounted and cannot be replaced; give --output a new folder {} it".format(
                printable(mounted), "inside" if mounted == path else "outside"
            )
        )
    if not _is_filled(path):
        return
    if not force:
        raise OutputError(
            "'{}' is not empty; add --force to replace it, or choose another".format(shown)
        )
    _check_kind(path, shown, kind)


def _check_kind(folder: str, shown: str, kind: FolderKind) -> None:
    stranger = kind.stranger(folder)
    if stranger is not None:
        raise OutputError(
            "'{}' holds more than {} ({}), and --force replaces nothing else; remove it yourself, "
            "or choose another folder".format(shown, kind.what, printable(stranger))
        )


def _is_filled(path: str) -> bool:
    return os.path.isdir(path) and bool(os.listdir(path))


def _identity(path: str) -> Tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def _move_onto_nothing(staging: str, target: str) -> None:
    try:
        os.rename(staging, target)  # takes the place of an empty folder, and of nothing else
    except OSError:
        if not os.path.lexists(target) or (os.path.isdir(target) and not os.listdir(target)):
            raise
        raise OutputError(_appeared(target)) from None


def _replace(staging: str, target: str, old: Tuple[int, int], kind: FolderKind) -> None:
    """Put the old folder aside, the new one in its place, and remove the old one.

    The old one is checked when nobody can reach it by its name any more.
    """
    replaced = unfinished_name(target, REPLACED)
    try:
        held = hold(target)
    except (HeldError, FileNotFoundError):
        raise OutputError(_appeared(target)) from None
    try:
        os.rename(target, replaced)
        if _identity(replaced) != old:
            raise OutputError(_appeared(target))
        _check_kind(replaced, printable(target), kind)
        _move_onto_nothing(staging, target)
        remove(replaced)
    finally:
        # The old one is back before its lock is gone.
        if os.path.isdir(replaced) and not os.path.lexists(target):
            os.rename(replaced, target)
        release(held)


def _appeared(target: str) -> str:
    return (
        "'{}' was changed by somebody else meanwhile and was left as it is; choose another "
        "folder".format(printable(target))
    )
