"""Mount points, which can be neither renamed nor replaced, and hold what is somewhere else."""

import os
from typing import Optional

_MOUNTS = "/proc/self/mountinfo"
_POINT = 4  # the column


def mount_inside(folder: str) -> Optional[str]:
    """Return a mount point that a folder, its path resolved, is or holds; None without one."""
    try:
        with open(_MOUNTS, "rb") as stream:
            points = [os.fsdecode(_unescaped(line.split(b" ")[_POINT])) for line in stream]
    except (OSError, IndexError):  # not Linux: what is mounted within it is not seen
        return folder if os.path.ismount(folder) else None
    inside = [each for each in points if each == folder or each.startswith(folder + os.sep)]
    return min(inside) if inside else None


def _unescaped(point: bytes) -> bytes:
    """Undo the kernel's way of writing blanks, tabs, new lines and backslashes."""
    for code in (b"040", b"011", b"012", b"134"):
        point = point.replace(b"\\" + code, bytes([int(code, 8)]))
    return point
