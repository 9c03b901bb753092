"""What somebody types first, who has a clone and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKE = shutil.which("make")


def test_readme_starts_with_demo_and_test() -> None:
    commands = re.findall(r"^ {4}(\S.*?)\s+#", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands[:2] == ["make demo", "make test"]


def test_every_make_command_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        named = re.findall(r"(?:^ *|`)make ([\w-]+)", (ROOT / name).read_text(), re.MULTILINE)
        assert named, name
        assert set(named) <= targets, name


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
def test_an_old_python_is_answered_in_one_sentence(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "python3.10"
    pretend = "import sys; sys.version_info = (3, 10, 4); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$2"\n')
    old.chmod(0o700)
    done = subprocess.run(
        [str(MAKE), "demo", f"PYTHON={old}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        # `make test` runs this, and its make would have this one speak as its child.
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
    )
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first == (
        f"SAM2-Lite needs Python 3.11 or newer, and {old} is 3.10; name a newer one: "
        "make demo PYTHON=python3.11"
    )
    assert second.startswith("make: ***")
    assert done.stdout == ""
    assert not (tmp_path / ".venv").exists()
