"""coremltools, imported without its notes about what it has not been tested with."""

from __future__ import annotations

import importlib.metadata
import logging
import warnings
from functools import cache
from typing import Any

from sam2lite.errors import DependencyError, SessionError

# The reader of saved programs, and what reads their weights, are private parts of this version.
VERSION = "9.0"

# Said at every import on Linux: a newer torch than it knows, and prediction that needs macOS.
_NOTES = ("has not been tested with coremltools", "No module named 'coremltools.libcoremlpython'")


def _is_no_note(record: logging.LogRecord) -> bool:
    return not any(note in record.getMessage() for note in _NOTES)


@cache
def import_coremltools() -> Any:
    """Return the package `coremltools`, checked to be the version that is relied on.

    Raises:
        DependencyError: it is not installed.
        SessionError: it is another version, or its reader of weights does not load.
    """
    try:
        installed = importlib.metadata.version("coremltools")
    except importlib.metadata.PackageNotFoundError:
        raise DependencyError("coremltools", "coreml", "reading Core ML packages") from None
    if installed != VERSION:
        raise SessionError(
            f"coremltools {installed} is installed, but private parts of {VERSION} are relied on; "
            f"run: pip install 'coremltools=={VERSION}'"
        )
    logger = logging.getLogger("coremltools")
    logger.addFilter(_is_no_note)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import coremltools
            from coremltools.converters.mil.frontend.milproto import load
    finally:
        logger.removeFilter(_is_no_note)
    if load.BlobReader is None:
        raise SessionError(
            "coremltools is installed without its reader of weights (libmilstoragepython); "
            f"run: pip install --force-reinstall 'coremltools=={VERSION}'"
        )
    return coremltools
