"""`sam2lite compare`: how far two bundles agree on a clip."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sam2lite.bench.compare import GOOD_IOU
from sam2lite.bench.compare import compare as compare_bundles
from sam2lite.cli import prompted_video
from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import Backend
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.progress import ShownProgress
from sam2lite.cli.prompted_video import warn
from sam2lite.cli.simulated import simulated_elsewhere
from sam2lite.errors import VerificationError
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.runtimes.commands.prompted import (
    read_prompts,
)


def compare(
    bundle_a: Annotated[Path, typer.Argument(metavar="BUNDLE_A", help="A bundle's folder.")],
    bundle_b: Annotated[Path, typer.Argument(metavar="BUNDLE_B", help="Another one's.")],
    video: Annotated[
        str, typer.Option(metavar="FILE|FOLDER", help="A video or a folder of frames.")
    ],
    point: prompted_video.Points = None,
    box: prompted_video.Boxes = None,
    mask: prompted_video.Masks = None,
    prompts_file: prompted_video.PromptsFile = None,
    frames: prompted_video.Frames = None,
    rung: prompted_video.Rung = None,
    backend: Backend = None,
    min_iou: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Exit code 3 if an object's mean IoU is below.", metavar="IOU"
        ),
    ] = None,
    as_json: ToJson = None,
) -> None:
    """Say how far the masks of two bundles agree on a clip.

    Both track it, each with its own memory.
    This is how much a precision, an input size or a version changes on your own video; it does not
    say which of the two is right. Frames on which neither shows the object count as an IoU of 1,
    and are counted, so that agreement about nothing can be told from agreement about something.

    Exit code 0: compared. 3: --min-iou, and an object's mean is below.
    """
    prompts = read_prompts(point, box, mask, prompts_file)
    bundles = (
        simulated_elsewhere(open_bundle(str(bundle_a), backend)),
        simulated_elsewhere(open_bundle(str(bundle_b), backend)),
    )
    for bundle in bundles:
        if not bundle.manifest.model.trained:
            warn(f"the weights of {bundle.path} are untrained; its masks mean nothing")
    share_threads(bundles[0], None)
    report = compare_bundles(
        *bundles, video, prompts, frames=frames, size=rung, progress=ShownProgress()
    )
    for message in report["warnings"]:
        warn(message)
    if not put_json(as_json, report):
        _print_report(report)
    for object_id, found in report["objects"].items():
        if min_iou is not None and found["mean_iou"] < min_iou:
            raise VerificationError(
                f"the mean IoU of object {object_id} is {found['mean_iou']:.4f}, which is below "
                f"--min-iou {min_iou:g}; compare with --rung, or export with a higher precision"
            )


def _print_report(report: dict[str, Any]) -> None:
    table = Table(
        "Object",
        "Frames",
        "Mean IoU",
        "Lowest IoU",
        f"First below {GOOD_IOU}",
        "Shown alike",
        "Both empty",
        "Logits differ by",
    )
    for object_id, found in report["objects"].items():
        first_bad = found["first_bad_frame"]
        difference = found["max_logit_difference"]
        table.add_row(
            object_id,
            str(found["frames"]),
            f"{found['mean_iou']:.4f}",
            f"{found['min_iou']:.4f}",
            "never" if first_bad is None else f"frame {first_bad}",
            f"{found['same_visibility']:.1%}",
            str(found["both_empty_frames"]),
            "(other rungs)" if difference is None else f"{difference:.2g}",
        )
    Console(markup=False, highlight=False, emoji=False).print(table)
    for name, bundle in zip("AB", report["bundles"], strict=True):
        mean_ms = bundle["mean_ms"]
        typer.echo(
            f"{name} {bundle['path']}: {bundle['model']} {bundle['precision']}, rung "
            f"{bundle['rung']}, "
            + ("simulated" if mean_ms is None else f"{mean_ms:.1f} ms a frame")
        )
