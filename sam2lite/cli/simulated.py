"""Bundles for a backend that is not here: simulated, where that can be, and said so."""

import typer

from sam2lite.contracts.backends import get_backend
from sam2lite.errors import SessionError
from sam2lite.runtimes.backends.adapter import adapter_of
from sam2lite.runtimes.backends.simulated import simulate_elsewhere
from sam2lite.runtimes.bundle import Bundle

NOTE = (
    "note: there is no {} here, so {} is simulated: its packages are evaluated with torch, in "
    "FP16 by rounding. Masks and scores are to be compared; times mean nothing"
)


def simulated_elsewhere(bundle: Bundle) -> Bundle:
    """Let a bundle be simulated, if its backend is not here and there is something for it.

    For commands that ask what a bundle computes, not how fast. Says so on stderr.

    Raises:
        DependencyError: the simulation needs a package that is not installed.
    """
    if bundle.simulate is None and simulate_elsewhere(bundle):
        typer.echo(NOTE.format(get_backend(bundle.backend).title, bundle.path), err=True)
    return bundle


def require_times(bundle: Bundle) -> None:
    """Refuse a bundle whose times would mean nothing here.

    Raises:
        SessionError: its backend is not here, and it could only be simulated.
    """
    backend = get_backend(bundle.backend)
    if backend.simulator is not None:
        available, reason = adapter_of(backend.name).is_available()
        if not available:
            raise SessionError(f"{bundle.path} cannot be timed: {reason}")
