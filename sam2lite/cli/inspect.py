"""`sam2lite inspect`: what a bundle holds, from its manifest."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sam2lite.contracts.manifest import Manifest
from sam2lite.runtimes.bundle import read_manifest


def inspect(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest, with the bundle's SHA-256.")
    ] = False,
) -> None:
    """Show what a bundle holds: model, target, graphs, tensors, files, and how it was verified.

    Reads the manifest only; `sam2lite verify` checks the files behind it.
    """
    manifest, sha256 = read_manifest(str(bundle))
    if as_json:
        typer.echo(json.dumps({"bundle_sha256": sha256, **manifest.to_json()}, indent=1))
        return
    console = Console(markup=False, highlight=False)
    console.print(_summary(manifest, sha256))
    console.print(_graphs(manifest))
    console.print(_tensors(manifest))


def _summary(manifest: Manifest, sha256: str) -> Table:
    model = manifest.model
    loop = manifest.verification.get("loop")
    table = Table(show_header=False)
    rows: list[tuple[str, Any]] = [
        ("model", f"{model.name}, {model.parameters:,} parameters, {model.licence}"),
        ("weights", "trained" if model.trained else "untrained: masks mean nothing"),
        ("checkpoint SHA-256", model.checkpoint_sha256),
        ("bundle SHA-256", sha256),
        ("backend, target", f"{manifest.backend}, {manifest.target.get('id', 'any')}"),
        ("precision", manifest.precision),
        ("opset", manifest.opset),
        ("rungs", ", ".join(map(str, manifest.rungs))),
        ("memory", f"{manifest.memory.budget} tokens of {manifest.memory.channels}"),
        ("files", f"{len(manifest.files)}, {manifest.megabytes:.1f} MB"),
        ("status", manifest.status),
        ("made with", f"sam2lite {manifest.sam2lite_version}, torch {manifest.tools.get('torch')}"),
    ]
    if loop is not None:
        rows.append(
            (
                "loop parity",
                f"{loop['frames']} frames: largest logit difference "
                f"{loop['max_logit_difference']:.1e}, lowest IoU {loop['min_iou']:.4f}",
            )
        )
    for name, value in rows:
        table.add_row(name, str(value))
    return table


def _graphs(manifest: Manifest) -> Table:
    table = Table("Graph", "Precision", "Worst relative error", "File")
    for key, entry in sorted(manifest.graphs.items()):
        parity = manifest.verification["graphs"][key]["parity"]
        worst = max(float(statistics["relative"]) for statistics in parity.values())
        table.add_row(key, entry.precision, f"{worst:.1e}", entry.file)
    return table


def _tensors(manifest: Manifest) -> Table:
    """Tensors at the largest rung; the others differ in the sides of maps alone."""
    table = Table("Graph", "", "Tensor", "Type", "Shape")
    largest = str(manifest.rungs[-1])
    for key, entry in sorted(manifest.graphs.items()):
        if "@" in key and not key.endswith(f"@{largest}"):
            continue
        for kind, specs in (("in", entry.spec.inputs), ("out", entry.spec.outputs)):
            for index, spec in enumerate(specs):
                shape = " x ".join(map(str, spec.shape))
                last = kind == "out" and index == len(specs) - 1
                table.add_row(key, kind, spec.name, spec.dtype, shape, end_section=last)
    return table
