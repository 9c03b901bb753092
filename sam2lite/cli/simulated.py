"""Bundles for Core ML where there is no Core ML: simulated, and said so."""

import typer

from sam2lite.errors import SessionError
from sam2lite.mil.elsewhere import simulate_elsewhere
from sam2lite.runtimes.backends.coreml import session as coreml
from sam2lite.runtimes.bundle import Bundle

NOTE = (
    "note: there is no Core ML here, so {} is simulated: its packages are evaluated with torch, in "
    "FP16 by rounding. Masks and scores are to be compared; times mean nothing"
)


def simulated_elsewhere(bundle: Bundle) -> Bundle:
    """Let a bundle for Core ML be simulated, if this machine has no Core ML; say so on stderr.

    For commands that ask what a bundle computes, not how fast.

    Raises:
        DependencyError: the simulation needs a package that is not installed.
    """
    if bundle.simulate is None and simulate_elsewhere(bundle):
        typer.echo(NOTE.format(bundle.path), err=True)
    return bundle


def require_times(bundle: Bundle) -> None:
    """Refuse a bundle whose times would mean nothing here.

    Raises:
        SessionError: it is for Core ML, and this machine has none.
    """
    if bundle.backend == "coreml":
        available, reason = coreml.is_available()
        if not available:
            raise SessionError(f"{bundle.path} cannot be timed: {reason}")
