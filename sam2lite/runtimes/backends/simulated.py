"""Bundles for a backend that is not here: simulated, for whoever asks what they compute."""

import os
from typing import Optional, Union

from sam2lite.contracts.backends import get_backend
from sam2lite.contracts.family import load
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.runtimes.bundle import Bundle, open_bundle


def simulate_elsewhere(bundle: Bundle) -> bool:
    """Let a bundle be simulated if its backend is not here and something simulates it.

    Returns:
        whether it is simulated.

    Raises:
        DependencyError: the simulation needs a package that is not installed.
    """
    backend = get_backend(bundle.backend)
    if (
        bundle.simulate is None
        and backend.simulator is not None
        and not adapter_of(backend.name).is_available()[0]
    ):
        bundle.simulate = load(backend.simulator)
    return bundle.simulate is not None


def opened(bundle: Union[Bundle, str, "os.PathLike[str]"], backend: Optional[str] = None) -> Bundle:
    """Return a bundle that can be asked what it computes, simulated where that must be.

    Args:
        bundle: one that is open, or its folder.
        backend: to run it with; that it was made for, or was opened with, if not given.

    Raises:
        ArgumentError: the backend does not run the bundle, or it is open with another.
        BundleError: it cannot be used.
        DependencyError: the simulation needs a package that is not installed.
    """
    if not isinstance(bundle, Bundle):
        bundle = open_bundle(str(bundle), backend)
    elif backend not in (None, bundle.backend):
        raise ArgumentError(
            "backend is {!r}, but {} was opened with {!r}; open it with the one that is "
            "meant".format(backend, bundle.path, bundle.backend)
        )
    simulate_elsewhere(bundle)
    return bundle
