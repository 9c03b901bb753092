"""Serve a page to click on objects and see them followed."""

import argparse
import sys
from pathlib import Path

from sam2lite.device.opening import add_tracking, open_checked, require_numpy, warn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_tracking(parser)
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="0: any that is free")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="folder for results.jsonl")


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until a signal ends it.

    Raises:
        Sam2LiteError: those of `open_checked` and `serve_video`.
        ImportError: NumPy or OpenCV is missing.
    """
    require_numpy()
    from sam2lite.runtimes.commands.interrupts import interrupted
    from sam2lite.runtimes.commands.settings import read_settings
    from sam2lite.runtimes.controller.age_budget import check_one_budget
    from sam2lite.runtimes.serve.run import serve_video, summary_lines

    check_one_budget(arguments.budget_ms, arguments.max_age_ms)
    summary = serve_video(
        open_checked(arguments),
        arguments.video,
        _tell,
        host=arguments.host,
        port=arguments.port,
        live=arguments.live,
        output=arguments.output,
        force=arguments.force,
        budget_ms=arguments.budget_ms,
        max_age_ms=arguments.max_age_ms,
        rung=arguments.rung,
        threads=arguments.threads,
        settings=read_settings(arguments.settings),
    )
    for message in summary["warnings"]:
        warn(message)
    sys.stdout.write("\n".join(summary_lines(summary)) + "\n")
    return interrupted() or 0


def _tell(url: str) -> None:
    sys.stdout.write("open {} in a browser; Ctrl-C ends\n".format(url))
    sys.stdout.flush()
