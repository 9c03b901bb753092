"""The layers of a bundle in a lower precision: bits, size, and what their outputs lose."""

from collections.abc import Mapping
from typing import Any

from rich.table import Column, Table

from sam2lite.cli.reports.shown import MOST_ROWS
from sam2lite.contracts.manifest import Manifest


def layer_rows(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """Return what a manifest says of every layer, by path.

    What input sizes share is there once, as the largest has it.
    """
    graphs = manifest.verification.get("graphs", {})
    found: dict[str, Mapping[str, Any]] = {}
    for rung in manifest.rungs:
        for key in sorted(graphs):
            if "@" not in key or key.endswith(f"@{rung}"):
                found.update(graphs[key].get("layers", {}))
    return found


def layer_table(manifest: Manifest) -> Table | None:
    """Show every layer with what it takes of the file; None where nothing is said of layers."""
    rows = layer_rows(manifest)
    if not rows:
        return None
    table = Table(Column("Layer", overflow="fold"), "Bits a weight", "MB", "Error of its output")
    for path, row in list(rows.items())[:MOST_ROWS]:
        error = "in float" if row["error"] is None else f"{row['error']:.1e}"
        table.add_row(path, f"{row['bits']:.2f}", f"{row['bytes'] / 1e6:.3f}", error)
    left_out = len(rows) - MOST_ROWS
    if left_out > 0:
        table.add_row(f"{left_out} more: --json")
    taken = sum(row["bytes"] for row in rows.values())
    table.add_section()
    table.add_row(f"{len(rows)} layers", "", f"{taken / 1e6:.3f}", "share of the output's power")
    return table
