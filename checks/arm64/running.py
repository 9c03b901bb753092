"""Commands of SAM2-Lite on the emulated machine and on this one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from arm64.machine import ROOT, Machine

from sam2lite.runtimes import rle
from sam2lite.runtimes.commands.children import environment, running_code

_TESTS = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
CHECKS = ROOT / "checks"
_FORKED = CHECKS / "arm64/forked.py"
# What is imported once for all commands: that of tracking, and for the package its commands.
_MODULES = ("numpy", "cv2", "onnxruntime")
_OF_PACKAGE = ("sam2lite.cli.main", "sam2lite.cli.bundle.track", "sam2lite.cli.bundle.verify")


@dataclass(frozen=True)
class Command:
    """A command to run.

    Attributes:
        arguments: of the command line.
        file: to run with a sam2lite of its own; None for the package.
    """

    arguments: Sequence[str]
    file: Path | None = None


@dataclass(frozen=True)
class Done:
    """A command that has ended.

    Attributes:
        code: it ended with.
        said: all that it printed.
        cpu_s: seconds of processor time, without those of its imports.
    """

    code: int
    said: str
    cpu_s: float = 0.0

    @property
    def last(self) -> str:
        """Return the last line that it printed."""
        return (self.said.strip() or "nothing said").splitlines()[-1]

    @property
    def fault(self) -> str:
        """Return why it failed, or nothing."""
        return f"exit code {self.code}: {self.last}" if self.code else ""


@dataclass(frozen=True)
class Runner:
    """Starts Python on a machine.

    Attributes:
        machine: the emulated one; None for this one.
        core: that is emulated; empty for this machine.
    """

    machine: Machine | None = None
    core: str = ""

    def run(self, commands: Sequence[Command]) -> Iterator[Done]:
        """Run commands, all of the package or all of files, in one start of Python.

        Raises:
            RuntimeError: Python does not start there, or ends before it has run all.
        """
        of_package = all(command.file is None for command in commands)
        with tempfile.TemporaryDirectory() as folder:
            said = [Path(folder) / str(index) for index in range(len(commands))]
            order = {
                "modules": [*_MODULES, *(_OF_PACKAGE if of_package else ())],
                "commands": [
                    {
                        "arguments": list(command.arguments),
                        "file": command.file and str(command.file),
                        "said": str(path),
                    }
                    for command, path in zip(commands, said, strict=True)
                ],
            }
            started = subprocess.Popen(
                [self._python, "-P", str(_FORKED)],
                env=self._environment(ROOT) if of_package else self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=folder,
            )
            with started as process:
                assert process.stdin and process.stdout and process.stderr
                process.stdin.write(json.dumps(order))
                process.stdin.close()
                for path in said:
                    line = process.stdout.readline()
                    if not line:
                        what = Done(process.wait(), process.stderr.read())
                        raise RuntimeError(f"Python on {self.core or 'this machine'}: {what.fault}")
                    found = json.loads(line)
                    yield Done(found["code"], path.read_text(errors="replace"), found["cpu_s"])

    def tests(self, path: Path) -> Done:
        """Run a file of tests that need no fixtures of others."""
        options = ["-q", "--noconftest", "-p", "no:cacheprovider", "-c/dev/null"]
        command = [*running_code(_TESTS, self._python), *options, "--rootdir", str(ROOT)]
        done = subprocess.run(
            [*command, str(path)],
            env=self._environment(ROOT),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=CHECKS,
        )
        return Done(done.returncode, done.stdout)

    @property
    def _python(self) -> str:
        return sys.executable if self.machine is None else str(self.machine.python(self.core))

    def _environment(self, *packages: Path) -> dict[str, str]:
        machine = self.machine
        return environment() if machine is None else machine.environment(*packages)


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
