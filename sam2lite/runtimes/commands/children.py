"""How other Python processes are started: none of them runs code of the current folder.

`python -c` and `python -m` put the current folder before everything else on the path, so that a
`numpy.py` in a folder of downloads would run. `-P` turns that off, but Python 3.6 does not have it,
and `-I` would turn off PYTHONPATH as well, which people on boards need. What `multiprocessing`
spawns is in `sam2lite.data.spawning`.
"""

import os
import sys
from typing import Dict, List

import sam2lite

# `sys` is part of the interpreter and comes from no folder.
_CLEAN_PATH = "import sys; sys.path[:] = [each for each in sys.path if each]; "
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(sam2lite.__file__)))


def running_code(code: str, python: str = sys.executable) -> List[str]:
    """Return the command that runs a piece of code; arguments follow.

    Args:
        code: statements, on one line or more.
        python: the interpreter.
    """
    return [python, "-c", _CLEAN_PATH + "\n" + code]


def running_ours(module: str, function: str) -> List[str]:
    """Return the command that calls a function of this very package; arguments follow.

    Args:
        module: where it is, such as `sam2lite.cli.main`.
        function: that takes nothing.
    """
    if os.path.isfile(_ROOT):  # device.pyz
        find = "sys.path.insert(0, {!r})".format(_ROOT)
    else:
        # Only for this one import: the folder of a checkout is often the current one.
        find = "sys.path.insert(0, {!r}); import sam2lite; del sys.path[0]".format(_ROOT)
    quiet = "from sam2lite.runtimes.commands.interrupts import leave_at_once; leave_at_once()"
    call = "from {} import {} as run\nrun()".format(module, function)
    return running_code("\n".join((find, quiet, call)))


def running_module(module: str) -> List[str]:
    """Return the command that does what `python -m` does; arguments follow."""
    code = "import runpy; runpy.run_module({!r}, run_name='__main__', alter_sys=True)"
    return running_code(code.format(module))


def running_file(path: str) -> List[str]:
    """Return the command that runs a file, whose own folder is on its path; arguments follow."""
    return [sys.executable, os.path.abspath(path)]


def environment(**more: str) -> Dict[str, str]:
    """Return the environment of a child: ours, and what is given.

    An empty part of PYTHONPATH, as `PYTHONPATH=$PYTHONPATH:/opt` leaves, is the current folder too.
    """
    found = dict(os.environ, **more)
    if "PYTHONPATH" in found:
        parts = found["PYTHONPATH"].split(os.pathsep)
        found["PYTHONPATH"] = os.pathsep.join(part for part in parts if part)
    return found
