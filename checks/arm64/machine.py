"""An ARM64 machine in a folder: Debian's Python, wheels from the index, QEMU's user mode.

It has no kernel of its own: QEMU translates the program and hands its system calls to this one.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from arm64.debian import Suite
from arm64.downloads import MissingError
from arm64.wheels import install

ROOT = Path(__file__).resolve().parent.parent.parent
# bookworm's QEMU, 7.2, ends with a segmentation fault where ONNX Runtime is imported.
_QEMU_SUITE, _GUEST_SUITE = "trixie", "bookworm"
_QEMU = "usr/bin/qemu-aarch64"
_GUEST_PYTHON = "3.11"
_GUEST_PACKAGES = (f"python{_GUEST_PYTHON}", "libstdc++6")
_WHEELS = ["numpy", "onnxruntime", "opencv-python-headless", "pytest", "typer"]


@dataclass(frozen=True)
class Machine:
    """A machine that is set up.

    Attributes:
        folder: that it is in.
    """

    folder: Path

    def python(self, core: str) -> Path:
        """Return the program that is Python on a core; it can start itself again."""
        path = self.folder / f"python-{core}"
        qemu, root = self.folder / "qemu" / _QEMU, self.folder / "debian"
        guest = f"{root}/usr/bin/python{_GUEST_PYTHON}"
        # -0 makes `sys.executable` this very file, so that child processes are emulated, too.
        wrapper = f'#!/bin/sh\nexec "{qemu}" -cpu {core} -L "{root}" -0 "{path}" "{guest}" "$@"\n'
        if not path.is_file() or path.read_text() != wrapper:
            # Another thread may be about to run it.
            with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as partial:
                partial.write(wrapper)
            Path(partial.name).chmod(0o755)
            Path(partial.name).replace(path)
        return path

    def environment(self, *packages: Path) -> dict[str, str]:
        """Return the environment of its processes.

        Args:
            packages: folders of Python packages beside the wheels.
        """
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        return {
            **kept,
            "PYTHONHOME": str(self.folder / "debian/usr"),
            "PYTHONPATH": os.pathsep.join(map(str, [*packages, self.folder / "wheels"])),
            "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),
            "OPENBLAS_NUM_THREADS": "1",  # NumPy's threads would not survive a fork
        }


def set_up(folder: Path, mirror: str, say: Callable[[str], None]) -> Machine:
    """Return the machine in a folder; what a run before did not finish is done now.

    Args:
        folder: to write.
        mirror: of Debian.
        say: is told what takes long.

    Raises:
        MissingError: something of it cannot be had.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise MissingError(
            f"QEMU's package is for x86-64 Linux, and this is {platform.machine()} "
            f"{platform.system()}: run the check on an x86-64 Linux"
        )
    cache = folder / "downloads"
    host = Suite(mirror, _QEMU_SUITE, "amd64")
    guest = Suite(mirror, _GUEST_SUITE, "arm64")
    parts: dict[str, Callable[[Path], None]] = {
        "qemu": lambda part: host.unpack(["qemu-user"], part, cache, _QEMU),
        "debian": lambda part: guest.unpack(_GUEST_PACKAGES, part, cache),
        "wheels": lambda part: install(_WHEELS, ROOT / "requirements.lock", _GUEST_PYTHON, part),
    }
    for name, make in parts.items():
        done, partial = folder / name, folder / f"{name}.partial"
        if done.is_dir():
            continue
        say(f"setting up {done}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        make(partial)
        partial.replace(done)
    return Machine(folder)
