"""A JSON file that is known to be writable before the work begins, and that appears whole."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sam2lite.errors import OutputError
from sam2lite.files.atomic import Unchanged, replacing

Write = Callable[[dict[str, Any]], None]


@contextmanager
def reserved_json(path: Path, force: bool) -> Iterator[Write]:
    """See that a file can be made beside another, and give a function that writes that one.

    It may be called again. Without a call nothing is left behind.

    Args:
        path: of the file; its folder must exist.
        force: replace a file that is there.

    Raises:
        OutputError: the file exists, is a folder, or cannot be written.
    """
    written = False

    def write(data: dict[str, Any]) -> None:
        nonlocal written
        # What this has written itself it may write again.
        with _explained(path), replacing(str(path), force or written) as partial:
            Path(partial).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        written = True

    with _explained(path), replacing(str(path), force):
        raise Unchanged  # a file could be made there
    yield write


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write '{path}': {error.strerror or error}; choose a folder that exists, that "
            "you may write to, and that has room"
        ) from error
