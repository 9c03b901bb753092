"""`sam2lite serve`: a page with the live picture, to click on and to watch."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli import prompted_video
from sam2lite.cli.app import share_threads
from sam2lite.cli.bundles import Backend, bundle_or_default
from sam2lite.cli.prompted_video import warn
from sam2lite.cli.simulated import require_times, simulated_elsewhere
from sam2lite.contracts.arguments import DEFAULT_PRESET
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.commands.interrupts import interrupted
from sam2lite.runtimes.commands.settings import read_settings
from sam2lite.runtimes.controller.age_budget import check_one_budget
from sam2lite.runtimes.serve.run import DEFAULT_HOST, DEFAULT_PORT, serve_video, summary_lines


def serve(
    video: Annotated[
        str,
        typer.Option(
            metavar="FILE|FOLDER|CAMERA",
            help="A video, a folder of frames, a camera (0, camera, /dev/video0, csi:0), a URL "
            "(rtsp://, http://) or a GStreamer pipeline.",
        ),
    ],
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What to track with.", show_default="Tiny, made once"),
    ] = None,
    backend: Backend = None,
    live: Annotated[
        bool, typer.Option("--live", help="Play a file at its own rate, dropping late frames.")
    ] = False,
    port: Annotated[int, typer.Option(metavar="N", help="0 for one that is free.")] = DEFAULT_PORT,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address to listen on, such as 0.0.0.0 for all; other machines need the token "
            "that is printed then.",
        ),
    ] = DEFAULT_HOST,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder for results.jsonl.",
            show_default="a temporary file, for the page's download",
        ),
    ] = None,
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
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Setting of what is remembered, as of `track`. Repeatable.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder.")] = False,
) -> None:
    """Serve a page to click on objects and see them followed.

    A file waits on its first frame until it is played in the page. Ctrl-C ends the server; with -o
    the results are kept.

    Only this machine can open the page, unless --host says otherwise.
    """
    if preset is not None and budget_ms is None and max_age_ms is None:
        raise ArgumentError("--preset is of the controller; give it a budget with --budget-ms")
    check_one_budget(budget_ms, max_age_ms)
    given = read_settings(settings)
    opened = bundle_or_default(bundle, backend)
    if budget_ms is not None or max_age_ms is not None:
        require_times(opened)
    simulated_elsewhere(opened)
    share_threads(opened, threads)
    if not opened.manifest.model.trained:
        warn(f"the weights of {opened.manifest.model.name!r} are untrained; its masks mean nothing")
    summary = serve_video(
        opened,
        video,
        _tell,
        host=host,
        port=port,
        live=live,
        output=output,
        force=force,
        budget_ms=budget_ms,
        max_age_ms=max_age_ms,
        preset=preset or DEFAULT_PRESET,
        rung=rung,
        threads=threads,
        settings=given,
    )
    for message in summary["warnings"]:
        warn(message)
    typer.echo("\n".join(summary_lines(summary)))
    raise typer.Exit(interrupted() or 0)


def _tell(url: str) -> None:
    typer.echo(f"open {url} in a browser; Ctrl-C ends")
