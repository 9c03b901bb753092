"""Run commands of SAM2-Lite one after the other, each in a process of its own.

    python -P forked.py < order.json

Under emulation, starting Python and importing what all commands import takes longer than most of
them do. So it is done once, and every command runs in a fork of that. The order has `modules` to
import first, and `commands`: a `file` to run, or null for the package itself, its `arguments`, and
a file `said` for what it says. For each, a line comes back: its exit code, and its CPU seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import sys
from typing import Any


def main() -> None:
    """Read the order and carry it out."""
    order = json.load(sys.stdin)
    for name in order["modules"]:
        importlib.import_module(name)
    for command in order["commands"]:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            _become(command)
            return
        _, status, used = os.wait4(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"code": code, "cpu_s": used.ru_utime + used.ru_stime}), flush=True)


def _become(command: dict[str, Any]) -> None:
    """Run a command, whose exit code is that of this process."""
    said = os.open(command["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    silence = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((silence, 0), (said, 1), (said, 2)):
        os.dup2(ours, theirs)
    file = command["file"]
    sys.argv = [file or "sam2lite", *command["arguments"]]
    if file is not None:
        runpy.run_path(file, run_name="__main__")
        return
    from sam2lite.cli.main import run

    run()


if __name__ == "__main__":
    main()
