"""Packages whose import ends the process."""

import os
import platform
import signal
import sys
from pathlib import Path

import pytest

from sam2lite.runtimes.commands.child_import import describe_signal, fatal_signal
from sam2lite.runtimes.commands.machine_checks import MISSING, check_numpy

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


@pytest.fixture
def first_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where child processes look for packages first."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_a_signal_is_told_from_an_exception(first_on_path: Path) -> None:
    (first_on_path / "crashing.py").write_text("import os; os.kill(os.getpid(), 4)\n")
    (first_on_path / "raising.py").write_text("raise ImportError('no library')\n")
    (first_on_path / "exiting.py").write_text("print('seen by nobody'); raise SystemExit(3)\n")
    assert fatal_signal("crashing") == signal.SIGILL
    assert fatal_signal("raising") is None
    assert fatal_signal("exiting") is None


def test_signals_have_names() -> None:
    assert describe_signal(4) == "SIGILL (illegal instruction)"
    assert describe_signal(11) == "SIGSEGV"
    assert describe_signal(99) == "signal 99"


@pytest.mark.parametrize(
    ("machine", "number", "remedy"),
    [
        ("aarch64", 4, "export OPENBLAS_CORETYPE=ARMV8"),
        ("aarch64", 11, "pip install --force-reinstall numpy"),
        ("x86_64", 4, "pip install --force-reinstall numpy"),
    ],
)
def test_numpy_that_crashes_is_not_imported_here(
    machine: str, number: int, remedy: str, first_on_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first_on_path / "numpy.py").write_text(f"import os; os.kill(os.getpid(), {number})\n")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.delitem(sys.modules, "numpy")
    check = check_numpy()
    assert "numpy" not in sys.modules
    assert (check.status, check.required) == (MISSING, True)
    assert check.value == f"importing it ends Python by {describe_signal(number)}"
    assert remedy in check.remedy
