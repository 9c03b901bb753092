"""`sam2lite targets`: the devices that bundles can be made for."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from sam2lite.cli.reports.target_sheet import print_sheet
from sam2lite.errors import ArgumentError
from sam2lite.targets.registry import get_target, host_target, list_targets


def targets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A target to explain; `host` is the one that fits this machine.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
) -> None:
    """List the targets, or explain what one of them can and cannot do, with sources.

    This tells what a device can run; `sam2lite-export --help` tells what can be made for it today.

    Exit code 0: done. 2: there is no such target.
    """
    if name is None:
        _list(as_json)
    elif as_json:
        typer.echo(json.dumps(get_target(name).to_json(), indent=2))
    else:
        print_sheet(_console(), get_target(name))


def _list(as_json: bool) -> None:
    host = _host_id()
    profiles = list_targets()
    if as_json:
        report = {"host": host, "targets": [profile.to_json() for profile in profiles]}
        typer.echo(json.dumps(report, indent=2))
        return
    table = Table(Column("Target", no_wrap=True), "Device", "Backend", "Computes in")
    for profile in profiles:
        served = [entry.name for entry in profile.precisions if entry.served]
        table.add_row(profile.id, profile.title, profile.backend, " ".join(served))
    console = _console()
    console.print(table)
    if host:
        console.print(f"host (this machine) is {host}. Explain one: sam2lite targets {host}")


def _host_id() -> str | None:
    try:
        return host_target().id
    except ArgumentError as error:
        typer.echo(f"warning: {error}", err=True)
        return None


def _console() -> Console:
    return Console(markup=False, highlight=False)
