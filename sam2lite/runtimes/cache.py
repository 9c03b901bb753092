"""Where SAM2-Lite keeps what it can make or fetch again."""

import os


def cache_dir() -> str:
    """Return the cache folder, which may not exist yet.

    It is `$XDG_CACHE_HOME/sam2lite`, or `~/.cache/sam2lite` where that variable is unset, empty or
    not absolute (XDG Base Directory Specification 0.8).
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "sam2lite")
