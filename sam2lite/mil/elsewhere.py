"""Bundles for Core ML where there is no Core ML: simulated, for whoever asks what they compute."""

from pathlib import Path

from sam2lite.errors import ArgumentError
from sam2lite.runtimes.backends.coreml import session as coreml
from sam2lite.runtimes.bundle import Bundle, open_bundle


def simulate_elsewhere(bundle: Bundle) -> bool:
    """Let a bundle for Core ML be simulated, if this machine has no Core ML; return whether it is.

    Raises:
        DependencyError: the simulation needs a package that is not installed.
    """
    if bundle.backend != "coreml" or bundle.simulate is not None or coreml.is_available()[0]:
        return bundle.simulate is not None
    from sam2lite.mil.session import open_simulated

    bundle.simulate = open_simulated
    return True


def opened(bundle: Bundle | str | Path, backend: str | None = None) -> Bundle:
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
            f"backend is {backend!r}, but {bundle.path} was opened with {bundle.backend!r}; open "
            "it with the one that is meant"
        )
    simulate_elsewhere(bundle)
    return bundle
