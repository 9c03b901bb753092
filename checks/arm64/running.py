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
from sam2lite.runtimes.commands.children import environment, running_code

_COMMAND = "from sam2lite.cli.main import run; run()"
_TESTS = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
CHECKS = ROOT / "checks"


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
        return self._run([*running_code(_COMMAND, self._python), *arguments], CHECKS, ROOT)

    def file(self, path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a file that finds no sam2lite but its own."""
        return self._run([self._python, str(path), *arguments], path.parent)

    def tests(self, path: Path) -> subprocess.CompletedProcess[str]:
        """Run a file of tests that need no fixtures of others."""
        options = ["-q", "--noconftest", "-p", "no:cacheprovider", "-c/dev/null"]
        command = [*running_code(_TESTS, self._python), *options, "--rootdir", str(ROOT)]
        return self._run([*command, str(path)], CHECKS, ROOT)

    @property
    def _python(self) -> str:
        return sys.executable if self.machine is None else str(self.machine.python(self.core))

    def _run(
        self, command: list[str], folder: Path, *packages: Path
    ) -> subprocess.CompletedProcess[str]:
        machine = self.machine
        return subprocess.run(
            command,
            env=environment() if machine is None else machine.environment(*packages),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
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
