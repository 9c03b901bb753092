"""`sam2lite download`: the files of a list of links, such as SA-1B's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.progress import progress_bar
from sam2lite.cli.prompted_video import warn
from sam2lite.errors import DownloadError

if TYPE_CHECKING:
    from sam2lite.data.downloads import Outcome

_MEGABYTE = 1e6


def download(
    links: Annotated[
        Path,
        typer.Argument(
            metavar="LINKS",
            help="Text file, a name, a tab and an address a line; size and checksum may follow.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the files; made if missing."),
    ],
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Files fetched at a time.")] = 4,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The first so many of the list.", show_default="all")
    ] = None,
    as_json: ToJson = None,
) -> None:
    """Fetch the files of a list, such as SA-1B's.

    Run it again to go on where it stopped.
    A file has its name only when it is whole; until then it ends in .part. One that is there
    already is compared with the size and the checksum of the list and not fetched again. Links that
    are dead and files that came damaged are told at the end, with exit code 1; the others come.
    """
    from sam2lite.data.downloads import Batch, read_links

    wanted = read_links(links)[:limit]
    batch = Batch(wanted, output, jobs)
    outcomes: list[Outcome] = []
    with progress_bar() as bar:
        task = bar.add_task("files", total=len(wanted))
        for outcome in batch.outcomes():
            if outcome is not None:
                outcomes.append(outcome)
                bar.advance(task)
            bar.update(task, description=f"files, {batch.came_bytes / _MEGABYTE:,.1f} MB")
    by_name = {outcome.link.name: outcome for outcome in outcomes}
    _report([by_name[link.name] for link in wanted], output, as_json)


def _report(outcomes: "list[Outcome]", output: Path, as_json: str | None) -> None:
    """Print what became of the files.

    Raises:
        DownloadError: some did not come.
    """
    from sam2lite.data.downloads.transfer import State

    of_state = {state: [each for each in outcomes if each.state is state] for state in State}
    for outcome in of_state[State.DOWNLOADED]:
        if outcome.remark:
            warn(f"{outcome.link.name}: {outcome.remark}")
    files = [
        {
            "name": each.link.name,
            "state": each.state,
            "came_bytes": each.came_bytes,
            "remark": each.remark,
        }
        for each in outcomes
    ]
    if not put_json(as_json, {"folder": str(output), "files": files}):
        came = sum(each.came_bytes for each in outcomes) / _MEGABYTE
        counts = ", ".join(f"{len(found)} {state}" for state, found in of_state.items())
        typer.echo(f"{output}: {counts}; {came:,.1f} MB came")
    failed = of_state[State.FAILED]
    if failed:
        listed = "".join(f"\n  {each.link.name}: {each.remark}" for each in failed)
        raise DownloadError(
            f"{len(failed)} of {len(outcomes)} files did not come; run the same command again to "
            f"go on:{listed}"
        )
