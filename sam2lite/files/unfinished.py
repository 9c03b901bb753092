"""What is not finished yet, beside what it is to become: whose it is, and what is done about it.

`out` is written as `.out.partial-1f3c90ab`, and while `--force` replaces an older `out`, that one
is `.out.replaced-1f3c90ab`. A process that is killed leaves them. Each is locked as long as the
process that made it lives, in whatever container, so the next run can tell: what nobody holds is
removed, and an older output without a newer one gets its name back. Where the file system has no
locks, nothing is removed, because somebody may be at work on it.
"""

import contextlib
import os
import re
import secrets
import shutil
from typing import List, Optional

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAME = r"\.{}\.{}-[0-9a-f]+(\.[a-z0-9]+)?$"
PARTIAL = "partial"
REPLACED = "replaced"
_ANY = re.compile(_NAME.format("(.+)", "({}|{})".format(PARTIAL, REPLACED)))


class HeldError(Exception):
    """Another process holds the file or folder."""


def unfinished_name(path: str, state: str, suffix: str = "") -> str:
    """Return a new path beside another.

    Args:
        path: of the output.
        state: `PARTIAL` or `REPLACED`.
        suffix: such as `.mp4`, for those who tell a format by it.
    """
    folder, name = os.path.split(path)
    return os.path.join(folder, ".{}.{}-{}{}".format(name, state, secrets.token_hex(4), suffix))


def hold(path: str) -> Optional[int]:
    """Lock a file or folder until the descriptor that is returned is closed, or this process ends.

    Returns:
        the descriptor; None where there are no locks.

    Raises:
        HeldError: another process holds it, or removed it meanwhile.
        OSError: it cannot be opened.
    """
    flags = os.O_RDONLY if os.path.isdir(path) else os.O_RDWR
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))
    try:
        locked = _lock(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    if locked:
        return descriptor
    os.close(descriptor)
    return None


def release(descriptor: Optional[int]) -> None:
    """Undo `hold`."""
    if descriptor is not None:
        os.close(descriptor)


def new_folder(path: str) -> Optional[int]:
    """Make a folder, and those above it, that is held, and return the descriptor; see `hold`."""
    os.makedirs(path)
    return hold(path)


def new_file(path: str) -> Optional[int]:
    """Make an empty file that is held, and return the descriptor; see `hold`."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return hold(path)


def clear_unfinished(path: str) -> List[str]:
    """Remove what dead processes left of an output, and give an older one its name back.

    Args:
        path: of the output.

    Returns:
        what belongs to processes that are at work.
    """
    living = []
    for state in (REPLACED, PARTIAL):
        for found in _unfinished(path, state):
            try:
                descriptor = hold(found)
            except HeldError:
                living.append(found)
                continue
            except OSError:  # somebody else's, or gone
                continue
            try:
                if state == REPLACED and not os.path.lexists(path):
                    os.rename(found, path)
                elif descriptor is not None:
                    remove(found)
            except OSError:  # it can wait for the run after this one
                pass
            finally:
                release(descriptor)
    return living


def is_unfinished(name: str) -> bool:
    """Return whether a file or folder of this name is what a killed process may leave."""
    return _ANY.match(name) is not None


def output_of(name: str) -> str:
    """Return the name of what was to be made, by that of something unfinished."""
    found = _ANY.match(name)
    return found.group(1) if found else name


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it; what cannot be removed stays."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        os.unlink(path)


def _unfinished(path: str, state: str) -> List[str]:
    folder, name = os.path.split(path)
    made = re.compile(_NAME.format(re.escape(name), state))
    try:
        names = os.listdir(folder or os.curdir)
    except OSError:
        return []
    return [os.path.join(folder, each) for each in sorted(names) if made.match(each)]


def _lock(descriptor: int, path: str) -> bool:
    """Lock what was opened at a path; return False where that cannot be done."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        still_there = os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except (BlockingIOError, FileNotFoundError):
        raise HeldError(path) from None
    except OSError:  # such as a folder on NFS, where only a file that is written can be locked
        return False
    if not still_there:
        raise HeldError(path)
    return True
