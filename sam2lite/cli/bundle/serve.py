"""`sam2lite serve`: a page with the live picture, to click on and to watch."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli import prompted_video
from sam2lite.cli.bundle import running
from sam2lite.cli.bundles import Backend
from sam2lite.cli.prompted_video import warn
from sam2lite.contracts.arguments import DEFAULT_PRESET
from sam2lite.runtimes.commands.interrupts import interrupted
from sam2lite.runtimes.commands.settings import read_settings
from sam2lite.runtimes.serve.run import DEFAULT_HOST, DEFAULT_PORT, serve_video, summary_lines


def serve(
    video: running.Video,
    bundle: running.TrackWith = None,
    backend: Backend = None,
    live: running.Live = False,
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
    budget_ms: running.BudgetMs = None,
    max_age_ms: running.MaxAgeMs = None,
    preset: running.Preset = None,
    rung: prompted_video.Rung = None,
    threads: running.Threads = None,
    settings: running.Settings = None,
    force: running.Force = False,
) -> None:
    """Serve a page to click on objects and see them followed.

    A file waits on its first frame until it is played in the page. Ctrl-C ends the server; with -o
    the results are kept.

    Only this machine can open the page, unless --host says otherwise.
    """
    running.check_budgets(budget_ms, max_age_ms, preset)
    given = read_settings(settings)
    opened = running.open_to_run(bundle, backend, budget_ms, max_age_ms, threads)
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
