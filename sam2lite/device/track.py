"""Follow objects through a video; write an overlay video and results.json."""

import argparse
import sys
from pathlib import Path

from sam2lite.device.opening import add_tracking, open_checked, positive, require_numpy, warn
from sam2lite.runtimes.masks.options import FLAGS, NOTHING, Cleaning


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_tracking(parser)
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", type=Path, help="folder for the results"
    )
    parser.add_argument(
        "--point",
        action="append",
        metavar="X,Y[,LABEL[,OBJECT]]",
        help="click on the first frame; label 0 is beside the object; repeatable",
    )
    parser.add_argument(
        "--box",
        action="append",
        metavar="X1,Y1,X2,Y2[,OBJECT]",
        help="box on the first frame; repeatable",
    )
    parser.add_argument(
        "--mask",
        action="append",
        metavar="FILE.png[,OBJECT]",
        help="mask of the first frame, not 0 on the object, or opaque there alone; repeatable",
    )
    parser.add_argument(
        "--prompts", type=Path, metavar="FILE.json", help="prompts for any frames and objects"
    )
    parser.add_argument("--frames", type=positive, metavar="N", help="stop after so many")
    parser.add_argument(
        "--stream",
        metavar="-|FILE|unix:PATH",
        help="write a line of JSON a frame at once: standard output, file, pipe or socket",
    )
    for flag, field, words in FLAGS:
        kind = type(getattr(NOTHING, field))
        parser.add_argument(
            flag, dest=field, type=kind, default=getattr(NOTHING, field), help=words
        )
    parser.add_argument("--no-overlay", action="store_true", help="write no video")


def run(arguments: argparse.Namespace) -> int:
    """Track the video and print what was found.

    Raises:
        Sam2LiteError: those of `read_prompts`, `open_checked` and `track_video`.
        ImportError: NumPy or OpenCV is missing.
    """
    require_numpy()
    from sam2lite.runtimes.commands.interrupts import interrupted
    from sam2lite.runtimes.commands.prompted import read_prompts
    from sam2lite.runtimes.commands.run_tally import summary_lines
    from sam2lite.runtimes.commands.settings import read_settings
    from sam2lite.runtimes.commands.track_run import track_video
    from sam2lite.runtimes.controller.age_budget import check_one_budget

    check_one_budget(arguments.budget_ms, arguments.max_age_ms)
    prompts = read_prompts(arguments.point, arguments.box, arguments.mask, arguments.prompts)
    summary = track_video(
        open_checked(arguments),
        arguments.video,
        prompts,
        arguments.output,
        budget_ms=arguments.budget_ms,
        max_age_ms=arguments.max_age_ms,
        rung=arguments.rung,
        threads=arguments.threads,
        frames=arguments.frames,
        live=arguments.live,
        stream=arguments.stream,
        overlay=not arguments.no_overlay,
        masks=False,
        force=arguments.force,
        settings=read_settings(arguments.settings),
        cleaning=Cleaning(*(getattr(arguments, field) for field in Cleaning._fields)),
    )
    for message in summary["warnings"]:
        warn(message)
    told = sys.stderr if arguments.stream == "-" else sys.stdout
    told.write("\n".join(summary_lines(summary)) + "\n")
    if summary["ended_by"] is None:
        return 0
    warn("{ended_by} ended the run; what was tracked before is in {path}".format(**summary))
    return interrupted() or 0
