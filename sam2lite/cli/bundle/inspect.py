"""`sam2lite inspect`: what a bundle holds, from its manifest."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sam2lite.cli.reports.agreement import agreement_lines
from sam2lite.cli.reports.coreml import (
    function_table,
    holds_packages,
    operator_lines,
    package_table,
    summary_rows,
)
from sam2lite.cli.reports.engines import (
    NOT_BUILT,
    describe_check,
    describe_status,
    read_engine_report,
)
from sam2lite.cli.reports.lowered import lowered
from sam2lite.cli.reports.memory import describe_memory
from sam2lite.cli.reports.shown import MOST_ROWS, first, holds
from sam2lite.contracts.build_plan import PLAN_FILE
from sam2lite.contracts.manifest import Manifest
from sam2lite.files.reading import printable_data
from sam2lite.runtimes.bundle import read_manifest


def inspect(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest, with the bundle's SHA-256.")
    ] = False,
) -> None:
    """Show what a bundle holds: model, target, graphs, tensors, files, and how it was verified.

    Reads the manifest only, and of a bundle for TensorRT which engines are built; `sam2lite verify`
    checks the files behind it.
    """
    manifest, sha256 = read_manifest(str(bundle))
    engines = read_engine_report(str(bundle), manifest) if PLAN_FILE in manifest.files else {}
    if as_json:
        data = {"bundle_sha256": sha256, **manifest.to_json()}
        typer.echo(_json({**data, **({"engines": engines} if engines else {})}))
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


def _json(data: dict[str, Any]) -> str:
    # JSON lets this one control character stand as it is.
    return json.dumps(data, indent=1).replace("\x7f", "\\u007f")


def _summary(manifest: Manifest, sha256: str) -> Table:
    model = manifest.model
    loop = manifest.verification.get("loop")
    table = Table(show_header=False)
    rows: list[tuple[str, Any]] = [
        ("model", f"{model.name}, {model.parameters:,} parameters, {model.licence}"),
        ("family", model.family),
        ("weights", "trained" if model.trained else "untrained: masks mean nothing"),
        ("checkpoint SHA-256", model.checkpoint_sha256),
        ("bundle SHA-256", sha256),
        ("backend, target", f"{manifest.backend}, {manifest.target.get('id', 'any')}"),
        (
            "made for",
            f"{manifest.target.get('os', 'any')}, {manifest.target.get('runtime', 'any')}",
        ),
        ("precision", manifest.precision),
        *([] if holds_packages(manifest) else [("opset", manifest.opset)]),
        ("input sizes", ", ".join(map(manifest.aspect.sides_text, manifest.rungs))),
        (
            "memory",
            ", ".join(first(f"{k.replace('_', ' ')} {v}" for k, v in manifest.memory.items())),
        ),
        ("files", f"{len(manifest.files)}, {manifest.megabytes:.1f} MB"),
        ("status", manifest.status),
        ("made with", f"sam2lite {manifest.sam2lite_version}, torch {manifest.tools.get('torch')}"),
    ]
    if loop is not None and holds(loop, "frames", "max_logit_difference", "min_iou"):
        rows.append(
            (
                "loop parity",
                f"{loop['frames']} frames: largest logit difference "
                f"{loop['max_logit_difference']:.1e}, lowest IoU {loop['min_iou']:.4f}",
            )
        )
    if holds_packages(manifest):
        rows.extend(summary_rows(manifest))
    rounded = manifest.verification.get("fp16_loop")
    if rounded is not None and holds(rounded, "frames", "mean_iou", "min_iou"):
        rows.append(
            (
                "FP16 over a clip",
                f"{rounded['frames']} frames: mean IoU with PyTorch {rounded['mean_iou']:.4f}, "
                f"lowest {rounded['min_iou']:.4f}",
            )
        )
    agreement = agreement_lines(manifest.verification)
    if agreement:
        rows.append(("masks against FP32's", "\n".join(agreement)))
    rows.extend(_quantization(manifest))
    for name, value in rows:
        table.add_row(name, str(value))
    return table


def _quantization(manifest: Manifest) -> list[tuple[str, str]]:
    """Return what the precision cost, which layers are not in it, and what was calibrated on."""
    made, drop = manifest.calibration or {}, manifest.verification.get("accuracy")
    found = lowered(made)
    rows = []
    if made:
        rows.append(
            (
                "FP16 ranges seen on" if found is None else "calibrated",
                f"{made.get('observer', 'unknown')}, {made.get('frames', '?')} frames of "
                f"{made.get('source', 'unknown')}",
            )
        )
    if found is not None:
        kept = first(f"{path}: {why}" for path, why in found.kept.items())
        rows.append(("layers", "\n".join([str(found), *kept])))
    if drop is not None:
        before, after = drop["before"], drop["after"]
        rows.append(
            (
                "accuracy",
                f"{drop['clips']} clips at {drop['rung']} px, FP32 to "
                f"{manifest.precision.upper()}: J&F {before['jf']:.2f} to {after['jf']:.2f}, "
                f"first frame J {before['first_frame_j']:.2f} to {after['first_frame_j']:.2f}",
            )
        )
    return rows


def _graphs(manifest: Manifest) -> Table:
    """Show every graph's worst output: of the float graph to PyTorch, and of this one to that."""
    table = Table("Graph", "Precision", "Relative error in float", "SQNR")
    for key, entry in sorted(manifest.graphs.items()):
        report = manifest.verification.get("graphs", {}).get(key, {})
        # A figure that is not finite is null.
        errors = [
            statistics["relative"] if statistics["relative"] is not None else math.inf
            for statistics in report.get("parity", {}).values()
        ]
        worst = f"{max(errors):.1e}" if errors else "not measured"
        ratios = [ratio for ratio in report.get("sqnr_db", {}).values() if ratio is not None]
        sqnr = f"{min(ratios):.1f} dB" if ratios else ""
        table.add_row(key, entry.precision + _bits(report), worst, sqnr)
    return table


def _bits(report: dict[str, Any]) -> str:
    """Return how many bits a weight takes in the file, where layers are packed."""
    packed = report.get("four_bits")
    return "" if packed is None else f", {packed['bits_a_weight']:.2f} bits a packed weight"


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
