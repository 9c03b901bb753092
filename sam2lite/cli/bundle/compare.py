"""`sam2lite compare`: how far two bundles agree on a clip."""

import json
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from sam2lite.cli import prompted_video
from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import Backend
from sam2lite.cli.progress import progress_bar
from sam2lite.cli.prompted_video import warn
from sam2lite.cli.simulated import simulated_elsewhere
from sam2lite.errors import ArgumentError, VerificationError, VideoError
from sam2lite.runtimes.bundle import Bundle, open_bundle
from sam2lite.runtimes.commands.prompted import (
    Prompts,
    check_prompts,
    expected_frames,
    read_prompts,
    track_prompted,
)
from sam2lite.runtimes.commands.track_writer import run_warnings
from sam2lite.runtimes.results import ObjectResult
from sam2lite.runtimes.segmenter import VideoSegmenter
from sam2lite.runtimes.video.source import open_source

GOOD_IOU = 0.9


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Track a clip with two bundles, each with its own memory, and say how far the masks agree.

    This is how much a precision, a rung or a version changes on your own video; it does not say
    which of the two is right. Frames on which neither shows the object count as an IoU of 1, and
    are counted, so that agreement about nothing can be told from agreement about something.

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
    report = compare_bundles(bundles, video, prompts, frames=frames, rung=rung)
    for message in report["warnings"]:
        warn(message)
    if as_json:
        typer.echo(json.dumps(report, indent=1))
    else:
        _print_report(report)
    for object_id, found in report["objects"].items():
        if min_iou is not None and found["mean_iou"] < min_iou:
            raise VerificationError(
                f"the mean IoU of object {object_id} is {found['mean_iou']:.4f}, which is below "
                f"--min-iou {min_iou:g}; compare with --rung, or export with a higher precision"
            )


def compare_bundles(
    bundles: tuple[Bundle, Bundle],
    video: str | Path,
    prompts: Prompts,
    *,
    frames: int | None = None,
    rung: int | None = None,
) -> dict[str, Any]:
    """Track a clip with both bundles, frame by frame; return what `compare` prints as JSON.

    Raises:
        PromptError: a prompt lies outside its frame, or beyond the end of the video.
        UnknownNameError: one of the bundles does not hold the rung.
        VideoError: the video cannot be read, or ended before the first prompt.
    """
    with (
        open_source(video) as source,
        VideoSegmenter(bundles[0], rung=rung) as segmenter_a,
        VideoSegmenter(bundles[1], rung=rung) as segmenter_b,
        progress_bar() as bar,
    ):
        count = expected_frames(source, frames)
        if count is None and source.is_live:
            raise ArgumentError(f"'{source.name}' has no end; say how much of it with --frames")
        check_prompts(prompts, source, frames)
        task = bar.add_task("comparing", total=count)
        agreements: dict[int, Agreement] = {}
        total_ms = np.zeros(2)
        tracked = 0
        for frame in islice(source, frames):
            here = prompts.get(tracked, {})
            results = [track_prompted(s, frame, here) for s in (segmenter_a, segmenter_b)]
            total_ms += [result.stage_ms["total"] for result in results]
            for object_id, found in results[0].objects.items():
                agreement = agreements.setdefault(object_id, Agreement())
                agreement.add(tracked, found, results[1].objects[object_id])
            tracked += 1
            bar.advance(task)
        rungs = segmenter_a.rung, segmenter_b.rung
    if not agreements:
        raise VideoError(f"'{source.name}' ended after {tracked} frames, before the first prompt")
    return {
        "video": source.name,
        "frames": tracked,
        "bad_below_iou": GOOD_IOU,
        "bundles": [
            {
                "path": bundle.path,
                "sha256": bundle.sha256,
                "model": bundle.manifest.model.name,
                "precision": bundle.manifest.precision,
                "rung": used,
                "mean_ms": None if bundle.simulate is not None else round(float(mean_ms), 3),
            }
            for bundle, used, mean_ms in zip(bundles, rungs, total_ms / tracked, strict=True)
        ],
        "objects": {str(key): value.to_json() for key, value in sorted(agreements.items())},
        "warnings": run_warnings(source, prompts, tracked),
    }


class Agreement:
    """How far two bundles agree on one object, summed up frame by frame."""

    def __init__(self) -> None:
        self._frames = 0
        self._iou_sum = 0.0
        self._min_iou = 1.0
        self._first_bad: int | None = None
        self._same_visibility = 0
        self._both_empty = 0
        self._logit_difference: float | None = None

    def add(self, frame: int, a: ObjectResult, b: ObjectResult) -> None:
        """Take in one frame."""
        union = np.count_nonzero(a.mask | b.mask)
        iou = np.count_nonzero(a.mask & b.mask) / union if union else 1.0
        self._frames += 1
        self._iou_sum += iou
        self._min_iou = min(self._min_iou, iou)
        if iou < GOOD_IOU and self._first_bad is None:
            self._first_bad = frame
        self._same_visibility += a.visible == b.visible
        self._both_empty += not union
        if a.logits.shape == b.logits.shape and not (a.lost or b.lost):
            difference = float(np.abs(a.logits - b.logits).max())
            self._logit_difference = max(self._logit_difference or 0.0, difference)

    def to_json(self) -> dict[str, Any]:
        """Return the summary; the logit difference is null where the rungs were never equal."""
        return {
            "frames": self._frames,
            "mean_iou": self._iou_sum / self._frames,
            "min_iou": self._min_iou,
            "first_bad_frame": self._first_bad,
            "same_visibility": self._same_visibility / self._frames,
            "both_empty_frames": self._both_empty,
            "max_logit_difference": self._logit_difference,
        }


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
    Console(markup=False, highlight=False).print(table)
    for name, bundle in zip("AB", report["bundles"], strict=True):
        mean_ms = bundle["mean_ms"]
        typer.echo(
            f"{name} {bundle['path']}: {bundle['model']} {bundle['precision']}, rung "
            f"{bundle['rung']}, "
            + ("simulated" if mean_ms is None else f"{mean_ms:.1f} ms a frame")
        )
