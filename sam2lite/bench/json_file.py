"""A JSON file that is known to be writable before the work begins, and that appears whole."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sam2lite.errors import OutputError

Write = Callable[[dict[str, Any]], None]


@contextmanager
def reserved_json(path: Path, force: bool) -> Iterator[Write]:
    """Open a temporary sibling of a file, and give a function that writes it and puts it in place.

    Without a call of that function nothing is left behind.

    Args:
        path: of the file; its folder must exist.
        force: replace a file that is there.

    Raises:
        OutputError: the file exists, is a folder, or cannot be written.
    """
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder; give the name of a file in it")
    if path.exists() and not force:
        raise OutputError(f"'{path}' exists; add --force to replace it, or choose another name")
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")

    def write(data: dict[str, Any]) -> None:
        with _explained(path):
            partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
            partial.replace(path)

    with _explained(path):
        partial.touch()
    try:
        yield write
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write '{path}': {error.strerror or error}; choose a folder that exists, that "
            "you may write to, and that has room"
        ) from error
