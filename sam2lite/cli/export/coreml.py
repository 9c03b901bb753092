"""`sam2lite-export coreml`: a bundle of Core ML packages for iPhones and iPads."""

import time
from typing import Annotated, Any

import typer

from sam2lite.cli.export import options
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.reports.coreml import package_report
from sam2lite.contracts.manifest import Manifest
from sam2lite.targets.precision import check_backend, check_precision
from sam2lite.targets.registry import get_target

DEFAULT_PRECISION = "fp16"
DEFAULT_TARGET = "ios17"


def coreml(
    output: options.Output,
    target: Annotated[
        str, typer.Option(metavar="ID", help="ios16, ios17 or ios18: the oldest iOS to run on.")
    ] = DEFAULT_TARGET,
    model: options.Model = "tiny",
    rungs: options.Rungs = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="fp16, int8, w8a8, int4, palette6 or palette4; see `sam2lite targets ID`.",
            show_default=DEFAULT_PRECISION,
        ),
    ] = None,
    fp16: Annotated[bool, typer.Option("--fp16", help="Short for --precision fp16.")] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="Short for --precision int8: weights alone.")
    ] = False,
    calib: quantize.Source = None,
    calib_frames: quantize.Frames = quantize.DEFAULT_FRAMES,
    calib_seed: quantize.Seed = 0,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Export a network to Core ML packages that can be added to an Xcode project.

    From iOS 18 on, one package holds a graph at all rungs, its weights once; before, there is one
    package for each. Every package is read again and evaluated by a simulation of Core ML's
    operators, against PyTorch: graph by graph, and over a clip through the frame loop. No Core ML
    takes part in that, and no time is measured. Exit code 3 if a bound is missed.
    """
    started = time.perf_counter()
    profile = get_target(target)
    check_backend(profile, "coreml")
    asked = options.choose_precision(DEFAULT_PRECISION, precision, fp16=fp16, int8=int8)
    check_precision(profile, asked)
    checkpoint = options.load_model(model)
    chosen = options.parse_rungs(rungs, checkpoint.sizes)
    from sam2lite.exporter.bundle.writer import ExportJob

    keys = list(ExportJob.plan(checkpoint, chosen, "coreml").keys)
    if dry_run:
        plan = {
            "model": model,
            "target": profile.id,
            "precision": asked,
            "output": str(output),
            "graphs": keys,
        }
        options.print_plan(plan, as_json)
        return
    # Before minutes of work, and not after.
    from sam2lite.mil.coremltools_import import import_coremltools

    import_coremltools()
    from sam2lite.exporter.coreml.bundle import steps, write_coreml_bundle

    recording = quantize.recorded(checkpoint, chosen, calib, calib_frames, calib_seed)
    with options.reported_steps("export", steps(checkpoint, chosen)) as report:
        manifest = write_coreml_bundle(
            checkpoint,
            profile,
            output,
            asked,
            recording,
            rungs=chosen,
            force=force,
            report=report,
        )
    packages = package_report(manifest)
    if not as_json:
        _print_packages(packages, manifest)
    options.print_result(output, manifest, started, as_json, {"packages": packages})


def _print_packages(packages: dict[str, Any], manifest: Manifest) -> None:
    for name, found in packages.items():
        worst = found["worst_sqnr_db"]
        typer.echo(
            f"{name}: {found['megabytes']:.2f} MB, {len(found['graphs'])} functions, "
            + ("equal to PyTorch" if worst is None else f"lowest SQNR in FP16 {worst:.1f} dB")
        )
    loop = manifest.verification["loop"]
    typer.echo(
        f"simulated over {loop['frames']} frames: mean IoU with PyTorch {loop['mean_iou']:.4f}, "
        f"{loop['decisions_differ']} of {loop['present'] + loop['absent']} decisions differ, "
        f"{loop['tied_choices']} tied candidates"
    )
