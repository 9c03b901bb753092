"""The binding wheels of TensorRT: 1 MB each, without the libraries that need a GPU."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sam2lite.runtimes.commands.children import environment, running_code, running_module


@dataclass(frozen=True)
class Release:
    """A release whose bindings are on the package index.

    Attributes:
        name: as in the tables.
        requirement: for pip.
        pythons: versions of Python to look for, those of JetPack first.
    """

    name: str
    requirement: str
    pythons: tuple[str, ...]


RELEASES = (
    Release("8.6", "tensorrt-bindings==8.6.1", ("3.6", "3.8", "3.10", "3.9", "3.11")),
    Release("10.3", "tensorrt-cu12-bindings==10.3.0", ("3.10", "3.12", "3.11", "3.9", "3.8")),
    Release("11.4", "tensorrt-cu13-bindings==11.4.0.106", ("3.12", "3.11", "3.13", "3.10")),
)


class WheelError(Exception):
    """No interpreter fits a release, or its wheel cannot be had."""


def find_python(release: Release, given: Sequence[str]) -> tuple[str, str]:
    """Return the first interpreter that fits a release, and its version.

    Args:
        release: with the versions it has wheels for.
        given: paths to look at first, beside those on PATH and the one that runs this.

    Raises:
        WheelError: there is none.
    """
    named = [str(shutil.which(f"python{version}")) for version in release.pythons]
    known: dict[str, str] = {}
    for python in [*given, *named, sys.executable]:
        version = _version(python)
        if version:
            known.setdefault(version, python)
    for version in release.pythons:
        if version in known:
            return known[version], version
    raise WheelError(
        f"TensorRT {release.name} has wheels for Python {', '.join(release.pythons)}; "
        "none of them was found: give one with --python"
    )


def download(release: Release, python_version: str, cache: Path) -> Path:
    """Return the folder of an unpacked wheel, downloaded if it is not in the cache yet.

    Raises:
        WheelError: pip cannot get it.
    """
    folder = cache / f"{release.name}-cp{python_version.replace('.', '')}"
    if (folder / "tensorrt_bindings").is_dir():
        return folder
    wheels = cache / "wheels" / folder.name
    command = [*running_module("pip"), "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", python_version, "-d", str(wheels)]
    done = subprocess.run(
        [*command, release.requirement],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise WheelError(f"pip cannot get {release.requirement}: {done.stderr.strip()}")
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as archive:
        archive.extractall(folder)
    return folder


def _version(python: str) -> str:
    """Return `3.10` and the like, or nothing where it does not start."""
    command = running_code("print('%d.%d' % sys.version_info[:2])", python)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
