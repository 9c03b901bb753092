"""Names of files that somebody else wrote down: they stay inside their folder, or are refused.

Manifests, build plans and engine lists name files. Whoever wrote one may want a reader to open,
write or delete something else, so every such name passes here before anything is done with it.
"""

import os
import stat
from typing import Type

from sam2lite.errors import Sam2LiteError

MAX_NAME_BYTES = 1024
MAX_PART_BYTES = 255  # what common file systems take


def check_name(name: object, where: str, error: Type[Sam2LiteError]) -> str:
    """Return a relative path, its parts separated by `/`, if it can only lead down.

    Args:
        name: as it was read.
        where: it was read, for the message.
        error: what is raised.

    Raises:
        Sam2LiteError: of the type `error`; the name is no text, absolute, too long, has an empty,
            `.` or `..` part, a backslash, a colon, a control character, or text that is no Unicode.
    """
    fault = _fault(name)
    if fault:
        raise error(
            "{}: the name {} {}; it was not made by sam2lite".format(where, _shown(name), fault)
        )
    return str(name)


def inside(root: str, name: object, error: Type[Sam2LiteError]) -> str:
    """Return the path of a checked name in a folder, no link on the way.

    What does not exist yet is fine. The folder itself may be reached through links: its owner
    chose it.

    Args:
        root: the folder.
        name: relative to it; see `check_name`.
        error: what is raised.

    Raises:
        Sam2LiteError: of the type `error`; the name may leave the folder, or leads over a link.
    """
    path = root
    for part in check_name(name, root, error).split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path):
            raise error(
                "{}: {} is a link, which could lead anywhere; put the file itself there".format(
                    root, _shown(os.path.relpath(path, root))
                )
            )
    return path


def public_name(path: str) -> str:
    """Return what a file that is passed on calls a path: its last part.

    The folders before it tell of a person and a machine, and nobody else has them. Pipelines may
    hold addresses and passwords, and are only said to be one.
    """
    if "!" in path or "://" in path:
        return "a stream"
    return os.path.basename(os.path.abspath(path)) or path


def is_regular(path: str) -> bool:
    """Return whether a path is a regular file itself: no link, folder, pipe, socket or device."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _fault(name: object) -> str:
    if not isinstance(name, str):
        return "is no text"
    try:
        raw = name.encode("utf-8")
        os.fsencode(name)
    except UnicodeEncodeError:
        return "cannot be a file's here"
    parts = name.split("/")
    if len(raw) > MAX_NAME_BYTES or any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        return "is too long"
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "may leave the folder"
    if any(character in "\\:" or not character.isprintable() for character in name):
        return "has a character that no file of a bundle has"
    return ""


def _shown(name: object) -> str:
    text = ascii(name)
    return text if len(text) <= 80 else text[:77] + "..."
