"""`sam2lite-export onnx`: the graphs alone, for other tools."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from sam2lite.cli.export import options
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.reports.preflight import describe, tensorrt_target
from sam2lite.contracts.manifest import Manifest
from sam2lite.errors import VerificationError

if TYPE_CHECKING:
    from sam2lite.exporter.precision.scheme import PrecisionScheme
    from sam2lite.models.checkpoint import LoadedModel


DEFAULT_OPSET = 17


def onnx(
    output: options.Output,
    model: options.Model = "tiny",
    opset: Annotated[
        int | None,
        typer.Option(
            help="ONNX operator set, 13 to 20.", show_default="17, or that of --check-for"
        ),
    ] = None,
    rungs: options.Rungs = None,
    fp16: Annotated[
        bool,
        typer.Option("--fp16", help="Weights and arithmetic in FP16, but for what must not."),
    ] = False,
    calib: quantize.Source = None,
    calib_frames: quantize.Frames = quantize.DEFAULT_FRAMES,
    calib_seed: quantize.Seed = 0,
    check_for: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="A target with TensorRT; say what its ONNX parser would not take of the graphs.",
        ),
    ] = None,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Export a network to plain ONNX graphs with static shapes, each compared with PyTorch.

    Writes graphs/*.onnx, their shared weights in one file, and manifest.json with the tensors of
    every graph. `sam2lite-export ort` makes a bundle that can be run.

    With --fp16, the float loop tracks first, and what overflows FP16 there stays in FP32, beside
    softmax, layer norm, selection and coordinates. Exit code 3 if an output loses too much.

    With --check-for, exit code 3 if the target's parser would not take a graph as it is; the graphs
    are written all the same. The answer comes from tables: no TensorRT is asked.
    """
    started = time.perf_counter()
    target = None if check_for is None else tensorrt_target(check_for)
    if opset is None:
        opset = DEFAULT_OPSET if target is None else target.opset
    checkpoint = options.load_model(model)
    chosen = options.parse_rungs(rungs, checkpoint.config.rungs)
    from sam2lite.exporter.bundle.writer import ExportJob, write_onnx_folder
    from sam2lite.exporter.onnx.trace import check_opset

    check_opset(opset)
    job = ExportJob.plan(checkpoint, chosen)
    if dry_run:
        plan = {
            "model": model,
            "opset": opset,
            "precision": "fp16" if fp16 else "fp32",
            "output": str(output),
            "graphs": list(job.keys),
            **({"check_for": check_for} if check_for else {}),
        }
        options.print_plan(plan, as_json)
        return
    scheme = _fp16(checkpoint, chosen, calib, calib_frames, calib_seed) if fp16 else None
    with options.reported_steps("export", len(job.keys)) as report:
        manifest = write_onnx_folder(
            checkpoint,
            opset,
            output,
            rungs=chosen,
            scheme=scheme,
            force=force,
            report=report,
        )
    if fp16:
        _print_fp16(manifest)
    if target is None:
        options.print_result(output, manifest, started, as_json)
        return
    from sam2lite.exporter.tensorrt.preflight import preflight_folder

    findings = preflight_folder(output, manifest, target.tensorrt.version)
    if not as_json:
        typer.echo("\n".join(describe(findings, target)))
    listed = {key: [finding.to_json() for finding in found] for key, found in findings.items()}
    options.print_result(output, manifest, started, as_json, {"findings": listed})
    refused = sum(bool(found) for found in findings.values())
    if refused:
        raise VerificationError(
            f"TensorRT {target.tensorrt.version} of {target.id} would not take {refused} of "
            f"{len(findings)} graphs as they are; change what the findings name. The graphs are in "
            f"{output}"
        )


def _fp16(
    checkpoint: "LoadedModel", rungs: tuple[int, ...], source: str | None, frames: int, seed: int
) -> "PrecisionScheme":
    from sam2lite.exporter.precision.fp16 import Fp16

    return Fp16(*quantize.recorded(checkpoint, rungs, source, frames, seed))


def _print_fp16(manifest: Manifest) -> None:
    """Say on stderr how much stays in FP32 and why, and what the worst output lost."""
    rendered = {k: g for k, g in manifest.verification["graphs"].items() if "pinned" in g}
    reasons = Counter(
        reason.partition(":")[0]
        for graph in rendered.values()
        for reason in graph["pinned"].values()
    )
    named = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    typer.echo(
        f"FP16: {reasons.total()} of {sum(graph['nodes'] for graph in rendered.values())} nodes "
        f"stay in FP32 ({named}), and so does memory_select",
        err=True,
    )
    ratio, key, name = min(
        (ratio, key, name)
        for key, graph in rendered.items()
        for name, ratio in graph["sqnr_db"].items()
        if ratio is not None
    )
    typer.echo(f"worst output: {name} of {key}, {ratio:.1f} dB of FP32's", err=True)
