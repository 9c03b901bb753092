"""The Python packages that the lock names, as wheels for another machine."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path

from arm64.downloads import MissingError

from sam2lite.runtimes.commands.children import environment, running_module

_PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")


def install(names: list[str], lock: Path, python_version: str, folder: Path) -> None:
    """Unpack packages, and those that they need, into a folder, by the lock's hashes.

    Args:
        names: of the packages, installed here, too, so that what they need is known.
        lock: `requirements.lock`.
        python_version: such as `3.11`.
        folder: to write.

    Raises:
        MissingError: one of them cannot be had.
    """
    locked = _locked(lock)
    wanted = sorted(_needed(names, set(locked)))
    listed = folder.with_name(folder.name + ".txt")
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("".join(locked[name] for name in wanted))
    platforms = [f"--platform={each}_aarch64" for each in _PLATFORMS]
    command = [*running_module("pip"), "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--implementation=cp", f"--python-version={python_version}"]
    command += [*platforms, "--target", str(folder), "-r", str(listed)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        named = re.search(r"(?:for|requirement) ([\w.-]+==[\w.]+)", done.stderr)
        what = named.group(1) if named else ", ".join(names)
        reason = (lines or [done.stderr.strip()])[-1].removeprefix("ERROR: ")
        raise MissingError(f"the wheel of {what} for aarch64 cannot be had: {reason}")


def _locked(lock: Path) -> dict[str, str]:
    """Return the lines of every package in the lock, by its normalised name."""
    entries = re.findall(r"^[\w.-]+==(?:.*\\\n)*.*\n", lock.read_text(), re.MULTILINE)
    return {_normal(entry.partition("==")[0]): entry for entry in entries}


def _needed(names: list[str], locked: set[str]) -> set[str]:
    """Return the names, and all that the lock has of what they need."""
    found, waiting = set[str](), [_normal(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found or name not in locked:
            continue
        found.add(name)
        needs = metadata.requires(name) or []
        waiting += [_normal(re.split(r"[^\w.-]", need)[0]) for need in needs if "extra" not in need]
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
