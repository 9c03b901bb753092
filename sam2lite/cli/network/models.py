"""`sam2lite models`: the networks that there are, and their parameters."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sam2lite.cli.export import options
from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.contracts.provenance import provenance_line


def models(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|PATH]", help="One network only: a size, or a checkpoint."),
    ] = None,
    variant: options.Variant = None,
    as_json: ToJson = None,
) -> None:
    """List the networks: parameters, memory, input sizes."""
    from sam2lite.models.registry import host_of, load_model, published_names

    rows: dict[str, dict[str, Any]] = {}
    for name in published_names() if model is None else [model]:
        loaded = load_model(name, variant=variant)
        rows[name] = {
            "family": loaded.family.name,
            "parameters": loaded.parameters,
            "published_millions": host_of(loaded.family.name).published.get(loaded.name),
            "budget_tokens": loaded.memory().get("budget"),
            "rungs": list(loaded.sizes),
            "trained": loaded.trained,
            "weights": loaded.weights,
        }
    if put_json(as_json, rows):
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
                str(row["budget_tokens"] or "") if total else "",
                end_section=total,
            )
    Console().print(table)
    for name, row in rows.items():
        typer.echo(f"{name}: weights {provenance_line(row['weights'])}")
