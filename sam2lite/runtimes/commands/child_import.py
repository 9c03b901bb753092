"""Import a package in a process of its own first, where it can end that one and not this."""

import platform
import signal
import subprocess
from typing import Optional

from sam2lite.runtimes.commands.children import environment, running_code

# A build of OpenBLAS takes the cores of some Jetsons for others (numpy/numpy issues 18131, 18175).
_REMEDIES = {
    ("aarch64", "numpy", int(signal.SIGILL)): (
        "export OPENBLAS_CORETYPE=ARMV8, in ~/.bashrc to keep it; or take the system's NumPy: "
        "python3 -m pip uninstall numpy"
    )
}


def fatal_signal(module: str) -> Optional[int]:
    """Return the number of the signal that ends a process which imports `module`, or None.

    An import that fails with an exception ends by no signal; this process may try it.
    """
    code = subprocess.call(
        running_code("import " + module),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return -code if code < 0 else None


def describe_signal(number: int) -> str:
    """Return `SIGILL (illegal instruction)`, or the name or the number of another signal."""
    known = {int(each): each.name for each in signal.Signals}
    name = known.get(number, "signal {}".format(number))
    return name + (" (illegal instruction)" if name == "SIGILL" else "")


def remedy_for(module: str, number: int) -> Optional[str]:
    """Return what keeps the import of `module` from ending by a signal here, if that is known."""
    return _REMEDIES.get((platform.machine().lower(), module, number))
