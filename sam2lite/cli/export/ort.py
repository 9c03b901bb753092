"""`sam2lite-export ort`: a verified bundle for ONNX Runtime."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sam2lite.cli.export import options
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.export.int8 import Int8Options, export_int8
from sam2lite.contracts.manifest import Manifest
from sam2lite.targets.precision import check_backend, check_precision
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import get_target

if TYPE_CHECKING:
    from sam2lite.models.checkpoint import LoadedModel


def ort(
    output: options.Output,
    model: options.Model = "tiny",
    target: Annotated[
        str,
        typer.Option(metavar="ID", help="Device; `host` is this machine. See `sam2lite targets`."),
    ] = "host",
    rungs: options.Rungs = None,
    opset: Annotated[
        int | None,
        typer.Option(
            help="ONNX operator set, 13 to 20; 15 for ONNX Runtime 1.10, the last for Python 3.6.",
            show_default="the target's",
        ),
    ] = None,
    device_app: Annotated[
        bool,
        typer.Option(
            "--device-app", help="Add device.pyz, which runs the bundle where nothing is installed."
        ),
    ] = False,
    precision: options.Precision = None,
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Short for --precision fp16: weights of half the size.")
    ] = False,
    int8: options.Int8 = False,
    calib: quantize.Source = None,
    calib_frames: quantize.Frames = quantize.DEFAULT_FRAMES,
    calib_seed: quantize.Seed = 0,
    observer: quantize.Observer = quantize.DEFAULT_OBSERVER,
    ranges: quantize.Ranges = None,
    keep_float: quantize.KeepFloat = None,
    max_drop: quantize.MaxDrop = 1.0,
    accept_drop: quantize.AcceptDrop = False,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Export a network to a bundle that ONNX Runtime runs on a CPU.

    Every graph is compared with PyTorch, and so is the whole frame loop over a clip; both results
    stand in the bundle's manifest. Exit code 3 if a bound is missed.

    With --int8, tensors are observed while the float loop tracks, layers are put back into float
    until the bundle is as accurate as asked for, and what it lost is printed.
    """
    started = time.perf_counter()
    profile = get_target(target)
    check_backend(profile, "ort")
    profile = _with_opset(profile, opset)
    chosen_precision = options.choose_precision("fp32", precision, fp16=fp16, int8=int8)
    check_precision(profile, chosen_precision)
    checkpoint = options.load_model(model)
    chosen = options.parse_rungs(rungs, checkpoint.config.rungs)
    if dry_run:
        from sam2lite.exporter.bundle.writer import ExportJob

        plan = {
            "model": model,
            "target": profile.id,
            "opset": profile.opset,
            "precision": chosen_precision,
            "output": str(output),
            "graphs": list(ExportJob.plan(checkpoint, chosen).keys),
        }
        options.print_plan(plan, as_json)
        return
    if chosen_precision != "int8":
        manifest = export_bundle(
            checkpoint,
            profile,
            output,
            chosen,
            precision=chosen_precision,
            device_app=device_app,
            force=force,
        )
    else:
        wanted = Int8Options(
            calib,
            calib_frames,
            calib_seed,
            observer,
            ranges,
            keep_float or (),
            max_drop,
            accept_drop,
        )
        manifest = export_int8(
            checkpoint, profile, output, chosen, wanted, device_app=device_app, force=force
        )
    options.print_result(output, manifest, started, as_json)


def export_bundle(
    checkpoint: "LoadedModel",
    target: TargetProfile,
    output: Path,
    rungs: tuple[int, ...] | None = None,
    *,
    precision: str = "fp32",
    device_app: bool = False,
    force: bool = False,
) -> Manifest:
    """Export a bundle in floating point behind a progress bar; raises as `write_bundle`."""
    from sam2lite.exporter.bundle.writer import ExportJob, write_bundle
    from sam2lite.exporter.precision.fp16_storage import Fp16Storage
    from sam2lite.exporter.precision.scheme import Float32, PrecisionScheme

    scheme: PrecisionScheme = Fp16Storage() if precision == "fp16" else Float32()
    rungs = rungs or checkpoint.config.rungs
    steps = len(ExportJob.plan(checkpoint, rungs).keys) + 1
    with options.reported_steps("export", steps) as report:
        return write_bundle(
            checkpoint,
            target,
            output,
            rungs=rungs,
            scheme=scheme,
            device_app=device_app,
            force=force,
            report=report,
        )


def _with_opset(profile: TargetProfile, opset: int | None) -> TargetProfile:
    """Return the profile with the opset that was asked for, if any.

    Raises:
        ArgumentError: the exporter cannot write the opset.
    """
    if opset is None:
        return profile
    from sam2lite.exporter.onnx.trace import check_opset

    check_opset(opset)
    sources = {**profile.sources, "opset": "asked for with --opset"}
    return profile._replace(opset=opset, sources=sources)
