"""Files from the network, each checked and put in its place in one step."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

_PATIENCE_S = 60.0


class MissingError(Exception):
    """Something that the check needs cannot be had; the text is one sentence that says what."""


def fetched(url: str, what: str) -> bytes:
    """Return what an address holds.

    Args:
        url: the address.
        what: the package or list that it is, for the message.

    Raises:
        MissingError: it cannot be reached, or answers otherwise.
    """
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:
            content: bytes = answer.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise MissingError(f"{what} cannot be had from {url}: {reason}") from error
    return content


def checked(content: bytes, sha256: str, what: str) -> bytes:
    """Return the content.

    Raises:
        MissingError: its SHA-256 is another.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise MissingError(f"{what} came damaged: its SHA-256 is {found}, and not {sha256}")
    return content


def is_whole(path: Path, sha256: str) -> bool:
    """Return whether a file is there with this SHA-256."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def put(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
