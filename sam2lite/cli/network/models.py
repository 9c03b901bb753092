"""`sam2lite models`: the SAM2-Lite family and its parameters."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

PUBLISHED_MILLIONS = {"tiny": 5.2, "small": 12.8, "base": 38.4}


def models(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|PATH]", help="One network only: a size, or a checkpoint."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the networks: parameters by module, memory budget, rungs."""
    from sam2lite.models.checkpoint import resolve_model

    rows: dict[str, dict[str, Any]] = {}
    for name in PUBLISHED_MILLIONS if model is None else [model]:
        checkpoint = resolve_model(name)
        rows[name] = {
            "parameters": checkpoint.model.parameter_counts(),
            "published_millions": PUBLISHED_MILLIONS.get(checkpoint.config.name),
            "budget_tokens": checkpoint.config.budget,
            "rungs": list(checkpoint.config.rungs),
            "trained": checkpoint.trained,
        }
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("Model", "Module", "Parameters", "M", "Published M", "Memory tokens")
    for name, row in rows.items():
        for module, count in row["parameters"].items():
            total = module == "total"
            published = row["published_millions"] if total else None
            table.add_row(
                name,
                module,
                f"{count:,}",
                f"{count / 1e6:.3f}",
                "" if published is None else f"{published}",
                str(row["budget_tokens"]) if total else "",
                end_section=total,
            )
    Console().print(table)
