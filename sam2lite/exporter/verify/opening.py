"""Opening what was just written, to check it on this machine."""

from __future__ import annotations

import warnings
from pathlib import Path

from sam2lite.contracts.backends import get_backend
from sam2lite.errors import TargetWarning
from sam2lite.runtimes.bundle import Bundle, open_bundle, read_manifest


def open_here(folder: Path) -> Bundle:
    """Open a bundle with the last of the backends that run it.

    That is the one that needs no device: graphs for a board are plain ONNX, and are verified so.
    That they are for another machine is known, and no `TargetWarning` says it.

    Raises:
        BundleError: it is none, or graphs alone.
    """
    backend = get_backend(read_manifest(str(folder))[0].backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TargetWarning)
        return open_bundle(str(folder), backend.run_by[-1] if backend.run_by else None)
