"""`sam2lite-export onnx`: the graphs alone, for other tools."""

import time
from typing import Annotated

import typer

from sam2lite.cli import export_options as options


def onnx(
    output: options.Output,
    model: options.Model = "tiny",
    opset: Annotated[int, typer.Option(help="ONNX operator set, 13 to 20.")] = 17,
    rungs: options.Rungs = None,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Export a network to plain ONNX graphs with static shapes, each compared with PyTorch.

    Writes graphs/*.onnx, their shared weights in one file, and manifest.json with the tensors of
    every graph. `sam2lite-export ort` makes a bundle that can be run.
    """
    started = time.perf_counter()
    checkpoint = options.load_model(model)
    chosen = options.parse_rungs(rungs, checkpoint.config.rungs)
    from sam2lite.exporter.bundle_writer import ExportJob, write_onnx_folder
    from sam2lite.exporter.trace import check_opset

    check_opset(opset)
    job = ExportJob.plan(checkpoint, chosen)
    if dry_run:
        plan = {"model": model, "opset": opset, "output": str(output), "graphs": list(job.keys)}
        options.print_plan(plan, as_json)
        return
    with options.reported_steps("export", len(job.keys)) as report:
        manifest = write_onnx_folder(
            checkpoint, opset, output, rungs=chosen, force=force, report=report
        )
    options.print_result(output, manifest, started, as_json)
