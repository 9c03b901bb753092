"""`sam2lite track`: follow objects through a video, and write what was found."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli import mask_options, prompted_video
from sam2lite.cli.bundle import running
from sam2lite.cli.bundles import Backend
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.progress import shown_progress
from sam2lite.cli.prompted_video import warn
from sam2lite.contracts.arguments import DEFAULT_PRESET
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.commands.interrupts import interrupted
from sam2lite.runtimes.commands.prompted import read_prompts
from sam2lite.runtimes.commands.run_tally import summary_lines
from sam2lite.runtimes.commands.settings import joined_settings, memory_settings, read_settings
from sam2lite.runtimes.commands.track_run import track_video
from sam2lite.runtimes.masks.options import NOTHING, Cleaning


def track(
    video: running.Video,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")
    ],
    point: prompted_video.Points = None,
    box: prompted_video.Boxes = None,
    mask: prompted_video.Masks = None,
    prompts_file: prompted_video.PromptsFile = None,
    bundle: running.TrackWith = None,
    backend: Backend = None,
    budget_ms: running.BudgetMs = None,
    max_age_ms: running.MaxAgeMs = None,
    preset: running.Preset = None,
    rung: prompted_video.Rung = None,
    threads: running.Threads = None,
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
    settings: running.Settings = None,
    islands: mask_options.Islands = NOTHING.islands,
    holes: mask_options.Holes = NOTHING.holes,
    min_iou: mask_options.MinIou = NOTHING.min_iou,
    min_stability: mask_options.MinStability = NOTHING.min_stability,
    box_nms: mask_options.BoxNms = NOTHING.box_nms,
    live: running.Live = False,
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
    force: running.Force = False,
    as_json: ToJson = None,
) -> None:
    """Follow objects through a video or a camera's frames.

    Writes overlay.mp4, masks/OBJECT/FRAME.png (0 or 255) and results.json (a COCO RLE of every
    object on every frame, with times and scores). The folder appears when all of it is written.

    Ctrl-C and SIGTERM end a run in order: what was tracked is written, and the exit code is 130 or
    143. A camera that fails ends it too, with exit code 1, and what came before is kept.
    """
    running.check_budgets(budget_ms, max_age_ms, preset)
    if deterministic:
        _check_repeatable(budgeted=budget_ms is not None or max_age_ms is not None, live=live)
        if threads not in (None, 1):
            raise ArgumentError(f"--deterministic is one thread, and --threads is {threads}")
        threads = 1
    given = joined_settings(read_settings(settings), memory_settings(policy, tokens, window))
    prompts = read_prompts(point, box, mask, prompts_file)
    opened = running.open_to_run(bundle, backend, budget_ms, max_age_ms, threads)
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
