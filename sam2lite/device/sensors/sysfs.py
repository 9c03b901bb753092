"""Small files of /sys, /proc and /etc: their text or number, or nothing where they cannot be read.

Finders take the folder that stands for `/`, so that tests can write trees of their own.
"""

import glob
import os
from typing import Dict, Iterable, List, Optional

ROOT = "/"


def read_text(path: str) -> str:
    """Return what a file holds, or "" where it is absent or closed to this user."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:  # a sensor that is switched off answers so too
        return ""


def read_number(path: str) -> Optional[int]:
    """Return the whole number that a file holds, or None."""
    try:
        return int(read_text(path))
    except ValueError:
        return None


def matching(root: str, patterns: Iterable[str]) -> List[str]:
    """Return the paths that match patterns such as `/sys/class/thermal/*`, each file once.

    Links of /sys lead to one file by several names; the first name stays.
    """
    found: Dict[str, str] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(root, pattern.lstrip("/")))):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())
