"""`sam2lite-export ort`: a verified bundle for ONNX Runtime."""

import time
from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli import export_options as options
from sam2lite.contracts.manifest import Manifest
from sam2lite.targets.precision import check_precision
from sam2lite.targets.registry import get_target


def ort(
    output: options.Output,
    model: options.Model = "tiny",
    target: Annotated[
        str,
        typer.Option(metavar="ID", help="Device; `host` is this machine. See `sam2lite targets`."),
    ] = "host",
    rungs: options.Rungs = None,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Export a network to a bundle that ONNX Runtime runs on a CPU.

    Every graph is compared with PyTorch, and so is the whole frame loop over a clip; both results
    stand in the bundle's manifest. Exit code 3 if a bound is missed.
    """
    started = time.perf_counter()
    profile = get_target(target)
    check_precision(profile, "fp32")
    if dry_run:
        checkpoint = options.load_model(model)
        chosen = options.parse_rungs(rungs, checkpoint.config.rungs)
        from sam2lite.exporter.bundle_writer import ExportJob

        plan = {
            "model": model,
            "target": profile.id,
            "opset": profile.opset,
            "precision": "fp32",
            "output": str(output),
            "graphs": list(ExportJob.plan(checkpoint, chosen).keys),
        }
        options.print_plan(plan, as_json)
        return
    manifest = export_bundle(model, profile.id, output, rungs=rungs, force=force)
    options.print_result(output, manifest, started, as_json)


def export_bundle(
    model: str, target: str, output: Path, *, rungs: str | None = None, force: bool = False
) -> Manifest:
    """Export a bundle behind a progress bar; see `write_ort_bundle` for what it raises."""
    checkpoint = options.load_model(model)
    chosen = options.parse_rungs(rungs, checkpoint.config.rungs)
    from sam2lite.exporter.bundle_writer import ExportJob, write_ort_bundle

    steps = len(ExportJob.plan(checkpoint, chosen).keys) + 1
    with options.reported_steps("export", steps) as report:
        return write_ort_bundle(
            checkpoint, get_target(target), output, rungs=chosen, force=force, report=report
        )
