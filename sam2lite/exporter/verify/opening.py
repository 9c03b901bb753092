"""Opening what was just written, to check it on this machine."""

from __future__ import annotations

import warnings
from pathlib import Path

from sam2lite.contracts.backends import Backend, get_backend
from sam2lite.errors import TargetWarning
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.runtimes.bundle import Bundle, open_bundle, read_manifest


def open_here(folder: Path) -> Bundle:
    """Open a bundle with what is here of the backends that a new one is checked with.

    The last of them needs no device: graphs for a board are plain ONNX, and are verified so.
    That they are for another machine is known, and no `TargetWarning` says it.

    Raises:
        BundleError: it is none, or graphs alone.
    """
    backend = get_backend(read_manifest(str(folder))[0].backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TargetWarning)
        bundle = open_bundle(str(folder), checking(backend))
    bundle.is_kept = False
    return bundle


def checking(backend: Backend) -> str | None:
    """Return the backend that new bundles of another are checked with here; None of graphs."""
    names = backend.checkers
    here = (name for name in names if adapter_of(name).is_available()[0])
    return next(here, names[-1]) if names else None
