"""Build and test the Swift package on Linux, against doubles of Core ML, and test its tests.

    python checks/swift/run.py [--cache .cache/swift] [--mirror URL] [--faults N]

Sets up Debian trixie's Swift in the cache on first use (550 MB to fetch, 3.5 GB on disk), records
the Python loop with a small network, holds the Swift loop against it, and then plants faults in the
Swift sources, each of which the tests must notice. Exit code 1 where something fails, 2 where
something is missing. Nothing here is Apple's: neither Xcode nor Core ML has a part in it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The names of this folder's modules are too plain to be importable by themselves.
sys.path[0:1] = [str(ROOT), str(ROOT / "checks")]

from swift.clips import CLIPS  # noqa: E402
from swift.faults import FAULTS, Fault  # noqa: E402
from swift.package import Outcome, Package  # noqa: E402
from swift.recording import export, record  # noqa: E402
from swift.toolchain import MIRROR, Toolchain, ToolchainError  # noqa: E402

LABEL = "compiled and run on Linux against doubles of Core ML; never by Xcode"
PASSED, FAILED, NOTICED = "passed", "FAILED", "noticed"
_SHOWN_LINES = 40


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    verdict: str
    seconds: float
    detail: str = ""


def main() -> int:
    """Run everything and print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "swift", help="folder")
    parser.add_argument("--mirror", default=MIRROR, help="of Debian")
    parser.add_argument("--faults", type=int, default=len(FAULTS), help="how many are planted")
    arguments = parser.parse_args()
    began = time.monotonic()
    toolchain = Toolchain(arguments.cache, arguments.mirror)
    try:
        toolchain.set_up()
    except ToolchainError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    rows = [Row(f"set up {toolchain.version}", PASSED, time.monotonic() - began)]
    recording = toolchain.folder / "recording"
    rows.append(make_recording(recording))
    package = Package(ROOT / "ios", toolchain.folder / "package", recording, toolchain)
    rows += checked(package, FAULTS[: max(arguments.faults, 0)])
    print(table(rows))
    return 1 if any(row.verdict == FAILED for row in rows) else 0


def make_recording(folder: Path) -> Row:
    """Record all clips anew."""
    began = time.monotonic()
    _say("recording the Python loop")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    bundle = folder / "bundle"
    export(bundle, tuple(sorted({rung for clip in CLIPS for rung in clip.rungs})))
    for clip in CLIPS:
        record(clip, bundle, folder / clip.name)
    names = ", ".join(clip.name for clip in CLIPS)
    return Row("record the Python loop", PASSED, time.monotonic() - began, names)


def checked(package: Package, faults: tuple[Fault, ...]) -> list[Row]:
    """Build and test the package as it is, and then with each fault."""
    package.restore()
    _say("building and testing the package")
    built = package.build()
    rows = [_row("build the package", built)]
    if built.code == 0:
        tested = package.test()
        rows.append(tests_row(tested))
        if tested.code == 0:
            rows += [fault_row(package, fault) for fault in faults]
            package.restore()
    return rows


def tests_row(tested: Outcome) -> Row:
    """Judge the tests of the package as it is: all must run, and none may fail or be skipped."""
    ran, skipped, failed = tested.ran
    detail = f"{ran} tests" + (f", {skipped} skipped" if skipped else "")
    if failed:
        detail += f", {failed} failures: {', '.join(tested.failed_tests)}"
    row = _row("run its tests", tested, detail)
    good = row.verdict == PASSED and ran > 0 and not skipped
    return row if good else Row(row.what, FAILED, row.seconds, detail)


def fault_row(package: Package, fault: Fault) -> Row:
    """Plant a fault; it is noticed if it compiles and a test fails for it."""
    _say(f"planting: {fault.name} ({fault.file})")
    package.plant(fault)
    built = package.build()
    what = f"fault: {fault.name}"
    if built.code != 0:
        _show(built)
        return Row(what, FAILED, built.seconds, "does not compile; mend checks/swift/faults.py")
    tested = package.test()
    seconds = built.seconds + tested.seconds
    if tested.code == 0:
        return Row(what, FAILED, seconds, "no test notices it")
    failed = tested.failed_tests
    detail = ", ".join(failed[:2]) + (f" and {len(failed) - 2} more" if failed[2:] else "")
    return Row(what, NOTICED, seconds, detail or f"the tests ended with {tested.code}")


def table(rows: list[Row]) -> str:
    """Return the table and what it sums up to."""
    form = "{:<52}{:>9}{:>8}  {}"
    lines = [form.format("step", "", "s", "").rstrip()]
    lines += [
        form.format(row.what, row.verdict, f"{row.seconds:.0f}", row.detail).rstrip()
        for row in rows
    ]
    planted = [row for row in rows if row.what.startswith("fault: ")]
    noticed = sum(row.verdict == NOTICED for row in planted)
    seconds = sum(row.seconds for row in rows)
    lines.append(f"{noticed} of {len(planted)} faults noticed; {seconds:.0f} s; {LABEL}")
    return "\n".join(lines)


def _row(what: str, outcome: Outcome, detail: str = "") -> Row:
    if outcome.code != 0:
        _show(outcome)
    return Row(what, PASSED if outcome.code == 0 else FAILED, outcome.seconds, detail)


def _show(outcome: Outcome) -> None:
    lines = outcome.output.splitlines()
    errors = [line for line in lines if "error" in line] or lines
    sys.stderr.write("\n".join(errors[-_SHOWN_LINES:]) + "\n")


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


if __name__ == "__main__":
    sys.exit(main())
