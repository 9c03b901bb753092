"""Judge the package, as it is and with each fault in it, and say so in a table."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from swift.faults import Fault
from swift.package import Outcome, Package

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


def say(words: str) -> None:
    """Tell who waits what is done now."""
    sys.stderr.write(f"{words}\n")


def checked(package: Package, faults: tuple[Fault, ...]) -> list[Row]:
    """Build and test the package as it is, and then with each fault."""
    package.restore()
    say("building and testing the package")
    built = package.build()
    rows = [_row("build the package", built)]
    if built.code == 0:
        tested = package.test()
        rows.append(judged(tested))
        if tested.code == 0:
            rows += [fault_row(package, fault) for fault in faults]
            package.restore()
    return rows


def judged(tested: Outcome) -> Row:
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
    say(f"planting: {fault.name} ({fault.file})")
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
