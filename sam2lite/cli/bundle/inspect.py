"""`sam2lite inspect`: what a bundle holds, from its manifest."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sam2lite.cli.json_output import ToJson, put_json
from sam2lite.cli.reports.coreml import (
    function_table,
    holds_packages,
    operator_lines,
    package_table,
)
from sam2lite.cli.reports.engines import (
    NOT_BUILT,
    describe_check,
    describe_status,
    read_engine_report,
)
from sam2lite.cli.reports.manifest_rows import graph_rows, summary_rows
from sam2lite.cli.reports.memory import describe_memory
from sam2lite.cli.reports.shown import MOST_ROWS
from sam2lite.contracts.build_plan import PLAN_FILE
from sam2lite.contracts.manifest import Manifest
from sam2lite.files.reading import printable_data
from sam2lite.runtimes.bundle import folder_of, read_manifest


def inspect(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder.")],
    as_json: ToJson = None,
) -> None:
    """Show what a bundle holds, and how it was verified.

    Of it are shown model, target, graphs, tensors and files.
    Reads the manifest only, and of a bundle for TensorRT which engines are built; `sam2lite verify`
    checks the files behind it.
    """
    path = folder_of(str(bundle))
    manifest, sha256 = read_manifest(path)
    engines = read_engine_report(path, manifest) if PLAN_FILE in manifest.files else {}
    data = {"bundle_sha256": sha256, **manifest.to_json()}
    if put_json(as_json, {**data, **({"engines": engines} if engines else {})}):
        return
    manifest, engines = manifest.for_people(), printable_data(engines)
    if engines:
        manifest = manifest._replace(status=describe_status(engines))
    console = Console(markup=False, highlight=False, emoji=False)
    console.print(_summary(manifest, sha256))
    if "memory" in manifest.verification:
        console.print("\n".join(describe_memory(manifest.verification["memory"])))
    console.print(_graphs(manifest))
    if holds_packages(manifest):
        console.print(package_table(manifest), function_table(manifest), sep="\n")
        console.print("\n".join(operator_lines(manifest)))
    if any(engine["state"] != NOT_BUILT for engine in engines.values()):
        console.print(_engines(engines))
    console.print(_tensors(manifest))


def _summary(manifest: Manifest, sha256: str) -> Table:
    table = Table(show_header=False)
    for row in summary_rows(manifest, sha256):
        table.add_row(*row)
    return table


def _graphs(manifest: Manifest) -> Table:
    """Show every graph's worst output: of the float graph to PyTorch, and of this one to that."""
    table = Table("Graph", "Precision", "Relative error in float", "SQNR")
    for row in graph_rows(manifest):
        table.add_row(row.key, row.precision, row.error_text, row.sqnr_text)
    return table


def _engines(engines: dict[str, dict[str, Any]]) -> Table:
    """Show every engine: on what it was built, and how far it is off its graph."""
    table = Table("Engine", "State", "TensorRT", "Built on", "Seconds", "MB", "SQNR")
    for key, engine in sorted(engines.items()):
        if engine["state"] == NOT_BUILT:
            table.add_row(key, NOT_BUILT)
            continue
        table.add_row(
            key,
            engine["state"],
            engine["tensorrt"],
            engine["device"],
            f"{engine['seconds']:.1f}",
            f"{engine['bytes'] / 1e6:.1f}",
            describe_check(engine["check"]),
        )
    return table


def _tensors(manifest: Manifest) -> Table:
    """Tensors at the largest rung; the others differ in the sides of maps alone."""
    named = any(entry.aliases for entry in manifest.graphs.values())
    table = Table("Graph", "", "Tensor", "Type", "Shape", *(["Also called"] if named else []))
    largest = str(manifest.rungs[-1])
    for key, entry in sorted(manifest.graphs.items()):
        if "@" in key and not key.endswith(f"@{largest}"):
            continue
        if table.row_count > MOST_ROWS:
            table.add_row("...")
            break
        for kind, specs in (("in", entry.spec.inputs), ("out", entry.spec.outputs)):
            for index, spec in enumerate(specs):
                shape = " x ".join(map(str, spec.shape))
                last = kind == "out" and index == len(specs) - 1
                others = [", ".join(entry.aliases.get(spec.name, ()))] if named else []
                table.add_row(key, kind, spec.name, spec.dtype, shape, *others, end_section=last)
    return table
