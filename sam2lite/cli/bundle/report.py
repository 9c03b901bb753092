"""`sam2lite report`: all that is known of a bundle as one HTML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sam2lite.errors import OutputError
from sam2lite.files.atomic import Unchanged, replacing


def report(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The HTML file.")
    ] = Path("report.html"),
    bench: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A benchmark of it: `sam2lite-bench --json`. Repeatable."
        ),
    ] = None,
    eval_: Annotated[
        list[Path] | None,
        typer.Option(
            "--eval", metavar="FILE", help="Its scores: `sam2lite eval --json`. Repeatable."
        ),
    ] = None,
    track: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What `sam2lite track -o DIR` wrote with it."),
    ] = None,
    sensitivity: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of its layers: `sam2lite sensitivity --json`."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write a page about a bundle, its times and its scores.

    The page is one file that loads nothing from a network. What is on it comes from the manifest
    and from the files given; each must be about this very bundle.
    """
    kilobytes = write_report(bundle, output, bench or (), eval_ or (), track, sensitivity, force)
    typer.echo(f"{output}: {kilobytes:.0f} kB")


def write_report(
    bundle: Path,
    output: Path,
    benches: Sequence[Path] = (),
    evals: Sequence[Path] = (),
    track: Path | None = None,
    sensitivity: Path | None = None,
    force: bool = False,
) -> float:
    """Write the page of a bundle; return its kilobytes.

    Args:
        bundle: its folder.
        output: the HTML file.
        benches: of `sam2lite-bench --json`.
        evals: of `sam2lite eval --json`.
        track: folder of `sam2lite track`.
        sensitivity: of `sam2lite sensitivity --json`.
        force: replace a file that is there.

    Raises:
        BundleError: there is no such bundle, or a file is not what it should be, or of another one.
        VideoError: the overlay video of `track` cannot be read.
        OutputError: the page cannot be written.
    """
    from sam2lite.cli.reports.html.inputs import (
        read_bench,
        read_eval,
        read_sensitivity,
        read_track,
    )
    from sam2lite.cli.reports.html.page import Subject, page
    from sam2lite.cli.reports.html.sections import tracking
    from sam2lite.cli.reports.html.tracked import results_file
    from sam2lite.files.names import public_name
    from sam2lite.runtimes.bundle import read_manifest

    try:
        with replacing(str(output), force):
            raise Unchanged  # a file could be made there
        manifest, sha256 = read_manifest(str(bundle))
        run = None if track is None else read_track(results_file(track), sha256)
        subject = Subject(
            name=public_name(str(bundle)),
            manifest=manifest.for_people(),
            sha256=sha256,
            benches=[read_bench(path, sha256) for path in benches],
            evals=[read_eval(path, sha256) for path in evals],
            sensitivity=[] if sensitivity is None else read_sensitivity(sensitivity, manifest),
            tracking=[] if run is None or track is None else tracking.run(run, track),
        )
        content = page(subject).encode("utf-8")
        with replacing(str(output), force) as partial:
            Path(partial).write_bytes(content)
    except OSError as error:
        raise OutputError(
            f"cannot write '{output}': {error.strerror or error}; choose a folder that exists, "
            "that you may write to, and that has room"
        ) from error
    return len(content) / 1e3
