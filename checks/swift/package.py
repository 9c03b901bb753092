"""The Swift package in a copy, where faults can be planted, built and tested by a toolchain."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from swift.faults import SOURCES, Fault
from swift.toolchain import Toolchain

BUILD_S, TEST_S = 900.0, 300.0
# In debug mode, so that tests see what is internal; optimised, for they compare millions of floats.
_OPTIONS = ("--disable-sandbox", "--scratch-path", "/build", "-Xswiftc", "-O")
_FAILED = re.compile(r"error: -?\[?\w*\.?(?:\w+\.)?(test\w+)")
_RAN = re.compile(r"Executed (\d+) tests?, with (?:(\d+) tests? skipped and )?(\d+) failures?")


@dataclass(frozen=True)
class Outcome:
    """What became of a build or of the tests.

    Attributes:
        code: the exit code.
        output: all that was said.
        seconds: that it took.
    """

    code: int
    output: str
    seconds: float

    @property
    def ran(self) -> tuple[int, int, int]:
        """How many tests ran, were skipped and failed; zeros where none did."""
        found = _RAN.findall(self.output)
        ran, skipped, failed = found[-1] if found else ("0", "0", "0")
        return int(ran), int(skipped or 0), int(failed)

    @property
    def failed_tests(self) -> list[str]:
        """Names of the tests that failed, in order."""
        return list(dict.fromkeys(_FAILED.findall(self.output)))


class Package:
    """A copy of ios/.

    Args:
        source: the package.
        copy: where the copy is, or will be; what has not changed is left as it is, for the sake of
            the compiler, which looks at times.
        recording: of the Python loop.
        toolchain: that builds it.
    """

    def __init__(self, source: Path, copy: Path, recording: Path, toolchain: Toolchain) -> None:
        self._source = source
        self._copy = copy
        self._recording = recording
        self._toolchain = toolchain

    def restore(self) -> None:
        """Make the copy what the source is."""
        wanted = {each.relative_to(self._source) for each in _files(self._source)}
        for there in [each.relative_to(self._copy) for each in _files(self._copy)]:
            if there not in wanted:
                (self._copy / there).unlink()
        for name in sorted(wanted):
            source, copy = self._source / name, self._copy / name
            if not copy.exists() or copy.read_bytes() != source.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)

    def plant(self, fault: Fault) -> None:
        """Put one fault, and no other, into the copy."""
        self.restore()
        path = SOURCES / fault.file
        text = (self._source / path).read_text(encoding="utf-8")
        (self._copy / path).write_text(fault.planted(text), encoding="utf-8")

    def build(self) -> Outcome:
        """Compile the package and its tests."""
        return self._swift(["build", "--build-tests"], BUILD_S)

    def test(self) -> Outcome:
        """Run the tests that were built."""
        return self._swift(["test", "--skip-build"], TEST_S)

    def _swift(self, command: list[str], limit_s: float) -> Outcome:
        began = time.monotonic()
        done = self._toolchain.run(
            ["swift", *command, *_OPTIONS],
            {self._copy: "/work", self._recording: "/recording"},
            {"SAM2LITE_RECORDING": "/recording"},
            limit_s,
        )
        return Outcome(done.returncode, done.stdout, time.monotonic() - began)


def _files(folder: Path) -> list[Path]:
    found = (each for each in folder.rglob("*") if each.is_file())
    return [each for each in found if ".build" not in each.relative_to(folder).parts]
