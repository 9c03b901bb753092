"""`sam2lite targets`: the devices that bundles can be made for."""

import string
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from sam2lite.bench.against.choice import advice
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.reports.target_sheet import print_sheet
from sam2lite.errors import ArgumentError
from sam2lite.targets.advice.same_graphs import what_graphs_depend_on, with_same_graphs
from sam2lite.targets.registry import HOST, get_target, host_target, list_targets


def targets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A target to explain; `host` is the one that fits this machine.",
            show_default=False,
        ),
    ] = None,
    as_json: ToJson = None,
) -> None:
    """List the targets, or explain one, with sources.

    This tells what a device can run; `sam2lite-export --help` tells what can be made for it today.

    Exit code 0: done. 2: there is no such target.
    """
    if name is None:
        _list(as_json)
    elif not put_json(as_json, get_target(name).to_json()):
        print_sheet(_console(), get_target(name))
        if name == HOST and (known := advice()) is not None:
            typer.echo(known[0].upper() + known[1:])


def _list(as_json: str | None) -> None:
    host = _host_id()
    profiles = list_targets()
    described = [
        {**profile.to_json(), "same_graphs_as": with_same_graphs(profile)} for profile in profiles
    ]
    report = {"host": host, "targets": described}
    if put_json(as_json, report):
        return
    columns = ("Device", "Backend", "Graphs", "Computes in")
    table = Table(Column("Target", no_wrap=True), *columns)
    letters: dict[object, str] = {}
    for profile in profiles:
        served = [entry.name for entry in profile.precisions if entry.served]
        shared = ""
        if with_same_graphs(profile):
            own = what_graphs_depend_on(profile)
            shared = letters.setdefault(own, string.ascii_uppercase[len(letters)])
        table.add_row(profile.id, profile.title, profile.backend, shared, " ".join(served))
    console = _console()
    console.print(table)
    console.print("Targets with the same letter have the same graphs: one export serves them all.")
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
