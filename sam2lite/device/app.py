"""The command line of `device.pyz`, and errors turned into exit codes.

Commands import NumPy, OpenCV and the runtime when they run, so that `doctor` works where one of
them is missing or broken.
"""

import argparse
import os
import sys
from typing import List, NoReturn, Optional

from sam2lite import __version__
from sam2lite.device import bench, build, doctor, serve, track
from sam2lite.errors import ArgumentError, Sam2LiteError
from sam2lite.files.reading import printable
from sam2lite.runtimes.bundle import folder_of
from sam2lite.runtimes.commands.interrupts import clean_up_after, interrupted, leave_at_once
from sam2lite.runtimes.commands.plain_warnings import show_plainly

INTERRUPTED = 130  # what shells return after Ctrl-C


def run() -> None:
    """Run a command and leave the process with the exit code of what happened."""
    # OpenCV 4.1.1 takes its log level from here alone, once, when it is imported; our errors say
    # better what it would warn of.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    code = 1
    try:
        clean_up_after()
        code = main(sys.argv[1:])
    except BaseException as error:
        # Whatever an interrupted library makes of it, a signal is what ended the command.
        if interrupted() is None and not isinstance(error, SystemExit):
            raise
        code = getattr(error, "code", code)
    leave_at_once()
    sys.exit(code if interrupted() is None or code == 0 else interrupted())


def main(arguments: List[str]) -> int:
    """Run a command; a mistake is one sentence on standard error.

    Args:
        arguments: without the name of the program.

    Returns:
        the exit code.
    """
    show_plainly()
    try:
        parsed = _parser().parse_args(arguments)
        code: int = parsed.run(parsed)
    except Sam2LiteError as error:
        return _failed(str(error), error.exit_code)
    except ImportError as error:
        return _failed("{}; `python3 device.pyz doctor` says what to install".format(error), 1)
    except KeyboardInterrupt:
        code = interrupted() or INTERRUPTED
        return _failed("interrupted: nothing was left half-written", code)
    except OSError as error:
        named = error.filename or "no file named"
        return _failed(printable("{}: {}".format(error.strerror or error, named)), 1)
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ArgumentError("{}; see: python3 {} --help".format(message, self.prog))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="device.pyz",
        description="Runs the bundle it lies in: check, track, serve and measure.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="doctor|build|track|serve|bench")
    commands.required = True  # as an argument of add_subparsers it needs Python 3.7
    for command in (doctor, build, track, serve, bench):
        name = command.__name__.rpartition(".")[2]
        title = str(command.__doc__).split("\n")[0]
        own = commands.add_parser(name, help=title, description=title)
        own.add_argument(
            "--bundle",
            metavar="DIR",
            type=folder_of,
            default=_own_folder(),
            help="the bundle; the folder that holds device.pyz if not given",
        )
        command.add_arguments(own)
        own.set_defaults(run=command.run)
    return parser


def _own_folder() -> str:
    return os.path.dirname(os.path.abspath(sys.argv[0]))


def _failed(message: Optional[str], code: int) -> int:
    sys.stderr.write("error: {}\n".format(message))
    return code
