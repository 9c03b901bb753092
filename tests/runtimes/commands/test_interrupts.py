"""A signal ends a command with its own exit code and without a traceback, wherever it comes."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from sam2lite.exporter.bundle.device_app import write_device_app
from tests.interrupts import interruptible

PROGRAMS = Path(sys.executable).parent
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HOST = """
import os, signal, sys, time
from sam2lite.cli.app import make_app, run_app
def first():
    {body}
def second():
    pass
run_app(make_app("tests", [first, second]))
"""
ME = "os.kill(os.getpid(), {number})"


def host(body: str, number: int) -> list[str]:
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ").strip()
    code = HOST.replace("{body}", lines).replace("{me}", ME.format(number=int(number)))
    return [sys.executable, "-c", code, "first"]


def ended(command: Sequence[str], cwd: Path | None = None) -> tuple[int, str]:
    with interruptible(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd) as process:
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("number", NUMBERS)
def test_every_signal_is_cleaned_up_after(number: int, tmp_path: Path) -> None:
    body = """
    from pathlib import Path
    from sam2lite.files.staging import FolderKind, staged_folder
    with staged_folder(Path("out"), False, FolderKind("x", "a", "", ("a",))) as folder:
        {me}
        time.sleep(30)
    """
    code, errors = ended(host(body, number), tmp_path)
    assert (code, errors) == (128 + number, "interrupted: nothing was left half-written\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        "raise ImportError('no such symbol')",
        "raise OSError(5, 'Input/output error', 'x')",
        "raise ValueError('whatever')",
        "from sam2lite.errors import SessionError; raise SessionError('onnxruntime is missing')",
    ],
)
def test_what_a_library_makes_of_an_interrupt_is_no_error_of_its_own(body: str) -> None:
    raised = f"try:\n    {{me}}\n    time.sleep(30)\nexcept KeyboardInterrupt:\n    {body}"
    code, errors = ended(host(raised, signal.SIGINT))
    assert (code, errors) == (130, "interrupted: nothing was left half-written\n")


def test_an_error_without_a_signal_is_told() -> None:
    code, errors = ended(host("raise ImportError('no such symbol')", 2))
    assert code == 1
    assert "no such symbol" in errors


def test_an_import_is_finished_first(tmp_path: Path) -> None:
    """An exception within one would read as a package that is not installed."""
    (tmp_path / "slow.py").write_text(
        "import os, time\n"
        "try:\n"
        "    os.kill(os.getpid(), 2); time.sleep(0.3)\n"
        "except BaseException:\n"
        "    print('noticed'); raise ImportError('swallowed')\n"
        "print('imported', flush=True)\n"
    )
    body = f"sys.path.insert(0, {str(tmp_path)!r})\nimport slow\ntime.sleep(30)"
    with interruptible(host(body, 2), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "imported\n")
    assert errors == "interrupted: nothing was left half-written\n"


def test_an_interrupt_in_a_destructor_is_not_forgotten() -> None:
    body = """
    class Dies:
        def __del__(self):
            {me}
            time.sleep(0.01)
    Dies()
    time.sleep(30)
    """
    code, errors = ended(host(body, signal.SIGINT))
    assert (code, errors) == (130, "interrupted: nothing was left half-written\n")


def test_two_of_a_kind_are_one() -> None:
    body = """
    try:
        {me}
        time.sleep(30)
    finally:
        {me}
        print("cleaned up", file=sys.stderr)
    """
    code, errors = ended(host(body, signal.SIGTERM))
    assert code == 128 + signal.SIGTERM
    assert errors == "cleaned up\ninterrupted: nothing was left half-written\n"


def test_an_ignored_signal_stays_ignored() -> None:
    code = "import signal, os, sys; signal.signal(1, signal.SIG_IGN); "
    code += "os.execv(sys.argv[1], sys.argv[1:])"
    command = host("{me}\nprint('went on', file=sys.stderr)", signal.SIGHUP)
    assert ended([sys.executable, "-c", code, *command]) == (0, "went on\n")


@pytest.mark.parametrize("number", NUMBERS)
def test_while_a_command_starts_it_ends_without_a_word(number: int, tmp_path: Path) -> None:
    """The instant when our first line has run, and each of some after it."""
    write_device_app(tmp_path / "device.pyz")
    # Ours are told apart from Python's own start by an import hook that sends the signal.
    hook = (
        "import os, sys\n"
        "class Hook:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == os.environ['AT']: os.kill(os.getpid(), int(os.environ['NUMBER']))\n"
        "sys.meta_path.insert(0, Hook())\n"
    )
    (tmp_path / "sitecustomize.py").write_text(hook)
    for at, program in (
        ("sam2lite.cli.app", [str(PROGRAMS / "sam2lite")]),
        ("typer", [str(PROGRAMS / "sam2lite-export")]),
        ("sam2lite.runtimes.bundle", [str(PROGRAMS / "sam2lite-bench")]),
        ("sam2lite.device.app", [sys.executable, str(tmp_path / "device.pyz")]),
        ("argparse", [sys.executable, str(tmp_path / "device.pyz")]),
    ):
        command = [
            "env", f"PYTHONPATH={tmp_path}", f"AT={at}", f"NUMBER={int(number)}", *program, "doctor"
        ]  # fmt: skip
        assert ended(command) == (128 + number, ""), at
