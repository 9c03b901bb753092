"""`sam2lite track`: follow objects through a video, and write what was found."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli import mask_options, prompted_video
from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import Backend, bundle_or_default
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.progress import shown_progress
from sam2lite.cli.prompted_video import warn
from sam2lite.cli.simulated import require_times, simulated_elsewhere
from sam2lite.contracts.arguments import DEFAULT_PRESET
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.commands.interrupts import interrupted
from sam2lite.runtimes.commands.prompted import read_prompts
from sam2lite.runtimes.commands.run_tally import summary_lines
from sam2lite.runtimes.commands.settings import joined_settings, memory_settings, read_settings
from sam2lite.runtimes.commands.track_run import track_video
from sam2lite.runtimes.controller.age_budget import check_one_budget
from sam2lite.runtimes.masks.options import NOTHING, Cleaning


def track(
    video: Annotated[
        str,
        typer.Option(
            metavar="FILE|FOLDER|CAMERA",
            help="A video, a folder of frames, a camera (0, camera, /dev/video0, csi:0), a URL "
            "(rtsp://, http://) or a GStreamer pipeline.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")
    ],
    point: prompted_video.Points = None,
    box: prompted_video.Boxes = None,
    mask: prompted_video.Masks = None,
    prompts_file: prompted_video.PromptsFile = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What to track with.", show_default="Tiny, made once"),
    ] = None,
    backend: Backend = None,
    budget_ms: Annotated[
        float | None,
        typer.Option(
            help="Milliseconds a frame may take; the input size then follows.", metavar="MS"
        ),
    ] = None,
    max_age_ms: Annotated[
        float | None,
        typer.Option(
            help="Milliseconds from capture to mask that a live source may take; the input size "
            "then follows. Instead of --budget-ms.",
            metavar="MS",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Of the controller: default or paper.", show_default=DEFAULT_PRESET),
    ] = None,
    rung: prompted_video.Rung = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads.", show_default="the target's")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Execution provider of ONNX Runtime, such as CUDAExecutionProvider.",
            show_default="the CPU's",
        ),
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic",
            help="One thread, so that masks are the same to the last bit whatever the machine's "
            "load and cores; slower.",
        ),
    ] = False,
    frames: prompted_video.Frames = None,
    policy: prompted_video.Policy = None,
    tokens: prompted_video.Tokens = None,
    window: prompted_video.Window = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Another setting of what is remembered, such as motion_aware=true; the network "
            "says which there are. Or how frames are resized: resize=bicubic or antialias. "
            "Repeatable.",
        ),
    ] = None,
    islands: mask_options.Islands = NOTHING.islands,
    holes: mask_options.Holes = NOTHING.holes,
    min_iou: mask_options.MinIou = NOTHING.min_iou,
    min_stability: mask_options.MinStability = NOTHING.min_stability,
    box_nms: mask_options.BoxNms = NOTHING.box_nms,
    live: Annotated[
        bool, typer.Option("--live", help="Play a file at its own rate, dropping late frames.")
    ] = False,
    stream: Annotated[
        str | None,
        typer.Option(
            metavar="-|FILE|unix:PATH",
            help="Write a line of JSON a frame at once: to standard output, a file or pipe, or "
            "the readers of a socket.",
        ),
    ] = None,
    no_overlay: Annotated[bool, typer.Option("--no-overlay", help="Write no video.")] = False,
    no_masks: Annotated[bool, typer.Option("--no-masks", help="Write no PNG files.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
    as_json: ToJson = None,
) -> None:
    """Follow objects through a video or a camera's frames.

    Writes overlay.mp4, masks/OBJECT/FRAME.png (0 or 255) and results.json (a COCO RLE of every
    object on every frame, with times and scores). The folder appears when all of it is written.

    Ctrl-C and SIGTERM end a run in order: what was tracked is written, and the exit code is 130 or
    143. A camera that fails ends it too, with exit code 1, and what came before is kept.
    """
    if preset is not None and budget_ms is None and max_age_ms is None:
        raise ArgumentError("--preset is of the controller; give it a budget with --budget-ms")
    check_one_budget(budget_ms, max_age_ms)
    if deterministic:
        _check_repeatable(budgeted=budget_ms is not None or max_age_ms is not None, live=live)
        if threads not in (None, 1):
            raise ArgumentError(f"--deterministic is one thread, and --threads is {threads}")
        threads = 1
    given = joined_settings(read_settings(settings), memory_settings(policy, tokens, window))
    prompts = read_prompts(point, box, mask, prompts_file)
    opened = bundle_or_default(bundle, backend)
    if budget_ms is not None or max_age_ms is not None:
        require_times(opened)
    simulated_elsewhere(opened)
    share_threads(opened, threads)
    if not opened.manifest.model.trained:
        warn(f"the weights of {opened.manifest.model.name!r} are untrained; its masks mean nothing")
    with shown_progress("tracking") as progress:
        summary = track_video(
            opened,
            video,
            prompts,
            output,
            budget_ms=budget_ms,
            max_age_ms=max_age_ms,
            preset=preset or DEFAULT_PRESET,
            rung=rung,
            threads=threads,
            provider=provider,
            frames=frames,
            live=live,
            stream=stream,
            overlay=not no_overlay,
            masks=not no_masks,
            force=force,
            settings=given,
            cleaning=Cleaning(islands, holes, min_iou, min_stability, box_nms),
            progress=progress,
        )
    for message in summary["warnings"]:
        warn(message)
    if not put_json(as_json, summary, err=stream == "-"):
        typer.echo("\n".join(summary_lines(summary)), err=stream == "-")
    if summary["ended_by"] is not None:
        warn(f"{summary['ended_by']} ended the run; what was tracked before is in {output}")
        raise typer.Exit(interrupted() or 0)


def _check_repeatable(*, budgeted: bool, live: bool) -> None:
    """Refuse what follows the clock, and would come out otherwise another time.

    Raises:
        ArgumentError: an input size or the choice of frames does.
    """
    for asked, what in (
        (budgeted, "a budget: the input size would follow"),
        (live, "--live: which frames are dropped follows"),
    ):
        if asked:
            raise ArgumentError(f"--deterministic does not go with {what} the clock")
