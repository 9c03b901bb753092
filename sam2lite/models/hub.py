"""Models of Hugging Face by their ids, in what this machine has of them: nothing is fetched.

The cache has a folder a model, `models--OWNER--NAME`: `refs/main` holds the commit that was fetched
last, and `snapshots/COMMIT` that commit's files.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sam2lite.errors import ModelError
from sam2lite.files.reading import printable, read_text
from sam2lite.models.weight_files import weight_files

# No part begins with a dot or holds a separator, so that no id leads out of the cache.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_MOST_BYTES = 100  # of a reference


def is_hub_id(name: str) -> bool:
    """Return whether a name has the form `owner/name`."""
    return _ID.fullmatch(name) is not None and "--" not in name and ".." not in name


def cached(name: str) -> Path:
    """Return the folder of a model in the local cache of Hugging Face.

    Args:
        name: an id, `owner/name`.

    Raises:
        ModelError: it is not there, or has no weights there; the message says how to fetch it.
    """
    cache = _cache()
    stored = cache / f"models--{name.replace('/', '--')}"
    fetch = f"fetch it with `hf download {name}`, then run this again"
    if not stored.is_dir():
        raise ModelError(
            f"{name} is no path here, and no model in the local cache of Hugging Face "
            f"({printable(cache)}); nothing is downloaded by itself: {fetch}"
        )
    snapshot = _snapshot(stored)
    if snapshot is None or not weight_files(snapshot):
        raise ModelError(
            f"the local cache of Hugging Face has {name}, but no weights of it "
            f"({printable(stored)}); {fetch}"
        )
    return snapshot


def _cache() -> Path:
    """Return the folder of the cache, by the variables that Hugging Face's own tools read."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return _expanded(os.environ[name])
    if os.environ.get("HF_HOME"):
        return _expanded(os.environ["HF_HOME"]) / "hub"
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path("~", ".cache"))
    return _expanded(caches) / "huggingface" / "hub"


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(path)).expanduser()


def _snapshot(stored: Path) -> Path | None:
    """Return the commit that was fetched last, or the only one that is there."""
    snapshots, reference = stored / "snapshots", stored / "refs" / "main"
    if reference.exists():
        commit = read_text(
            str(reference), _MOST_BYTES, ModelError, "delete it, and fetch the model again"
        ).strip()
        if _COMMIT.fullmatch(commit) and (snapshots / commit).is_dir():
            return snapshots / commit
    there = [path for path in snapshots.iterdir() if path.is_dir()] if snapshots.is_dir() else []
    return there[0] if len(there) == 1 else None
