"""Whole files from strangers: regular ones only, and only up to a size."""

import os
import stat
from contextlib import contextmanager
from typing import Any, BinaryIO, Iterator, Tuple, Type

from sam2lite.errors import Sam2LiteError

MEBIBYTE = 1 << 20


@contextmanager
def regular_file(
    path: str, error: Type[Sam2LiteError], remedy: str
) -> Iterator[Tuple[BinaryIO, int]]:
    """Open a file and give it with its size, bytes.

    A pipe or a device cannot make this wait.

    Args:
        path: of the file; links are followed.
        error: what is raised.
        remedy: ends the message.

    Raises:
        Sam2LiteError: of the type `error`; it is missing, cannot be read, or is no regular file.
    """
    shown = printable(path)
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody to write to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise error("cannot read {}: {}; {}".format(shown, reason, remedy)) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise error("{} is no regular file; {}".format(shown, remedy))
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            yield stream, status.st_size
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise error("cannot read {}: {}; {}".format(shown, reason, remedy)) from None
    finally:
        os.close(descriptor)


def read_bytes(path: str, max_bytes: int, error: Type[Sam2LiteError], remedy: str) -> bytes:
    """Return the bytes of a file; see `regular_file`.

    Args:
        path: of the file; links are followed.
        max_bytes: more is refused before anything is read.
        error: what is raised.
        remedy: ends the message.

    Raises:
        Sam2LiteError: of the type `error`; see `regular_file`, or it is too large.
    """
    with regular_file(path, error, remedy) as (stream, size):
        if size > max_bytes:
            raise error(
                "{} has {} bytes, and more than {} are not read; {}".format(
                    printable(path), size, max_bytes, remedy
                )
            )
        return stream.read(size)


def printable_data(data: Any) -> Any:
    """Return plain data with all text in it, names included, as of `printable`."""
    if isinstance(data, dict):
        return {printable(name): printable_data(value) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [printable_data(value) for value in data]
    return printable(data) if isinstance(data, str) else data


def read_text(path: str, max_bytes: int, error: Type[Sam2LiteError], remedy: str) -> str:
    """Return the text of a file in UTF-8; see `read_bytes`.

    Raises:
        Sam2LiteError: of the type `error`; it cannot be read, or is no UTF-8.
    """
    try:
        return read_bytes(path, max_bytes, error, remedy).decode("utf-8")
    except UnicodeDecodeError:
        raise error("{} is not UTF-8 text; {}".format(printable(path), remedy)) from None


def printable(text: object) -> str:
    """Return text for a terminal: control characters and broken Unicode as escapes."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in str(text)
    )
