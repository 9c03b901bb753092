"""Commands of SAM2-Lite on the emulated machine and on this one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from arm64.machine import ROOT, Machine

from sam2lite.runtimes import rle
from sam2lite.runtimes.commands.children import environment

_COMMAND = "from sam2lite.cli.main import run; run()"


@dataclass(frozen=True)
class Runner:
    """Starts Python on a machine.

    Attributes:
        machine: the emulated one; None for this one.
        core: that is emulated; empty for this machine.
    """

    machine: Machine | None = None
    core: str = ""

    def sam2lite(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the package."""
        return self._run(["-c", _COMMAND, *arguments], ROOT)

    def file(self, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a file that finds no sam2lite but its own."""
        return self._run([str(path), *arguments])

    def tests(self, path: Path) -> subprocess.CompletedProcess[str]:
        """Run a file of tests that need no fixtures of others."""
        options = ["-q", "--noconftest", "-p", "no:cacheprovider", "-c", "/dev/null"]
        return self._run(["-m", "pytest", *options, "--rootdir", str(ROOT), str(path)], ROOT)

    def _run(self, arguments: list[str], *packages: Path) -> subprocess.CompletedProcess[str]:
        if self.machine is None:
            python, variables = sys.executable, environment()
        else:
            python = str(self.machine.python(self.core))
            variables = self.machine.environment(*packages)
        return subprocess.run(
            [python, *arguments],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT / "checks" if packages else arguments[0].rpartition("/")[0],
        )


def reason(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that a failed command has said, with its exit code."""
    said = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()
    return f"exit code {done.returncode}: {said[-1]}"


def track_options(clip: Path, click: str, frames: int, output: Path) -> list[str]:
    """Return the options of `track`: the same frames, the same click, one thread.

    A folder of results that an earlier run left is removed.
    """
    shutil.rmtree(output, ignore_errors=True)
    options = ["--video", str(clip), "--point", click, "--frames", str(frames)]
    return [*options, "--threads", "1", "-o", str(output)]


def masks(output: Path) -> list[np.ndarray]:
    """Return the object's masks of a folder of results, bool [height, width] each."""
    results: dict[str, Any] = json.loads((output / "results.json").read_text())
    frames = results["frames"]
    return [rle.decode(objects["rle"]) for frame in frames for objects in frame["objects"].values()]
