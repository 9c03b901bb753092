"""Folders and files that appear whole or not at all."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from sam2lite.errors import OutputError


@contextmanager
def staged_folder(output: Path, force: bool) -> Iterator[Path]:
    """Give a temporary sibling that takes the place of `output` once the block has succeeded.

    Whatever ends the block early, Ctrl-C included, leaves the old folder as it was and nothing new.

    Args:
        output: the folder to write; made if missing.
        force: replace it even if there is something in it.

    Raises:
        OutputError: it is a file, is not empty, may not be written, or the disk is full.
    """
    target = output.resolve()
    check_replaceable(target, force)
    staging = target.with_name(f".{target.name}.partial-{os.getpid()}")
    replaced = target.with_name(f".{target.name}.replaced-{os.getpid()}")
    try:
        staging.mkdir(parents=True)
        yield staging
        if target.exists():
            target.rename(replaced)
        staging.rename(target)
    except OSError as error:
        raise OutputError(
            f"cannot write '{output}': {error.strerror or error}; "
            "choose a folder that you may write to, and that has room"
        ) from error
    finally:
        if replaced.exists() and not target.exists():
            replaced.rename(target)
        for leftover in (staging, replaced):
            shutil.rmtree(leftover, ignore_errors=True)


def write_atomically(path: str, content: Any) -> None:
    """Write a file that appears whole or not at all, with its folder if that is missing.

    Args:
        path: of the file.
        content: bytes, or anything else with a buffer.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name("{}.partial-{}".format(target.name, os.getpid()))
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())  # boards are unplugged
        partial.replace(target)
    finally:
        if partial.exists():
            partial.unlink()


def check_replaceable(target: Path, force: bool) -> None:
    """Refuse a folder, its path resolved, that `staged_folder` would not replace.

    Raises:
        OutputError: it is a file, holds the working or the home folder, or is not empty.
    """
    if target.exists() and not target.is_dir():
        raise OutputError(f"'{target}' is a file; give --output the name of a folder")
    if any(target in (kept, *kept.parents) for kept in (Path.cwd(), Path.home())):
        raise OutputError(
            f"'{target}' holds the working or the home folder and will not be replaced; "
            "give --output a folder of its own"
        )
    if not force and target.is_dir() and any(target.iterdir()):
        raise OutputError(f"'{target}' is not empty; add --force to replace it, or choose another")
