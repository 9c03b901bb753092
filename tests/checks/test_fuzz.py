"""A small seeded part of `make fuzz`; kinds that need a bundle run in the whole one."""

import subprocess
import sys

import pytest

from tests.source_tree import ROOT


@pytest.mark.parametrize(("kind", "share"), [("json", "0.02"), ("checkpoints", "0.04")])
def test_no_broken_input_does_harm(kind: str, share: str) -> None:
    command = [sys.executable, str(ROOT / "checks" / "fuzz" / "run.py")]
    command += ["--only", kind, "--share", share, "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert kind in done.stdout
