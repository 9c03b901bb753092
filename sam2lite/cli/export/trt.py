"""`sam2lite-export trt`: a verified bundle from which a board builds its TensorRT engines."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sam2lite.cli.export import options
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.export.int8 import Int8Options, export_int8
from sam2lite.cli.export.trt_host import engine_lines, engines_json, make_engines, profile_here
from sam2lite.cli.reports.memory import describe_memory
from sam2lite.contracts.manifest import Manifest
from sam2lite.runtimes.bundle import read_manifest
from sam2lite.targets.precision import check_backend, check_precision, nearest_precision
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import HOST, get_target
from sam2lite.targets.releases import with_jetpack, with_tensorrt

if TYPE_CHECKING:
    from sam2lite.calibration.ranges import Provenance
    from sam2lite.calibration.recorder import Recording
    from sam2lite.exporter.precision.fp16 import Pins
    from sam2lite.exporter.tensorrt.engines import Rewrite
    from sam2lite.models.loaded import LoadedModel

DEFAULT_PRECISION = "fp16"


def trt(
    output: options.Output,
    target: Annotated[
        str,
        typer.Option(
            metavar="ID", help="Board or GPU; see `sam2lite targets`. host: this machine."
        ),
    ],
    jetpack: Annotated[
        str | None,
        typer.Option(
            metavar="RELEASE",
            help="Of the board's system, as in 6.2.",
            show_default="see `sam2lite targets ID`",
        ),
    ] = None,
    tensorrt: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="That is installed there, where it is not the usual one.",
            show_default="the release's",
        ),
    ] = None,
    model: options.Model = "tiny",
    rungs: options.Rungs = None,
    precision: options.Precision = None,
    fp16: Annotated[bool, typer.Option("--fp16", help="Short for --precision fp16.")] = False,
    int8: options.Int8 = False,
    fallback: Annotated[
        bool,
        typer.Option(
            "--fallback", help="Where the target lacks the precision, take the nearest it has."
        ),
    ] = False,
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
    """Export a network to a bundle from which a board builds its TensorRT engines.

    An engine works on the chip and with the TensorRT it was built with, so none is made here: the
    bundle has graphs that the target's TensorRT takes, the plan of the build, and device.pyz;
    copy it to the board and run there: python3 device.pyz build

    With --target host, on a machine with an NVIDIA GPU, TensorRT and polygraphy, the engines are
    built here too. Each is compared with ONNX Runtime; where one in FP16 is too far off, the layers
    that break it are found by building it again, some 15 times, and pinned to FP32.

    Every graph is compared with PyTorch, and so is the whole frame loop over a clip, in ONNX
    Runtime. What FP16 loses is computed with every value rounded to FP16. Exit code 3 if a bound
    is missed, also by an engine, or if the target's parser would not take a graph.
    """
    started = time.perf_counter()
    profile = _profile(target, jetpack, tensorrt)
    asked = options.choose_precision(DEFAULT_PRECISION, precision, fp16=fp16, int8=int8)
    chosen_precision = _served(profile, asked, fallback)
    checkpoint = options.load_model(model)
    chosen = options.parse_rungs(rungs, checkpoint.sizes)
    if dry_run:
        from sam2lite.exporter.bundle.writer import ExportJob

        plan = {
            "model": model,
            "target": profile.id,
            "runtime": profile.runtime,
            "opset": profile.opset,
            "precision": chosen_precision,
            "output": str(output),
            "graphs": list(ExportJob.plan(checkpoint, chosen).keys),
        }
        options.print_plan(plan, as_json)
        return
    footage = (calib, calib_frames, calib_seed)
    rewrite: Rewrite | None = None
    if chosen_precision == "int8":
        wanted = Int8Options(*footage, observer, ranges, keep_float or (), max_drop, accept_drop)
        manifest = export_int8(
            checkpoint, profile, output, chosen, wanted, device_app=True, force=force
        )
    else:
        recording = quantize.recorded(checkpoint, chosen, *footage)
        export = partial(
            _export_float, checkpoint, profile, output, chosen, chosen_precision, recording
        )
        manifest = export(force=force)
        rewrite = partial(_rewrite, export)
    more: dict[str, Any] = {"engine": manifest.status}
    if target == HOST:
        calls, _ = quantize.recorded(checkpoint, chosen, *footage)  # again: it is cached
        made = make_engines(output, checkpoint, calls, rewrite, len(manifest.graphs))
        manifest = read_manifest(str(output))[0]
        more = {"engine": "engine: built", "engines": engines_json(made)}
    found = {name: manifest.verification[name] for name in ("preflight", "memory")}
    if not as_json:
        typer.echo("\n".join(describe_memory(found["memory"])))
        taken = "preflight: the parser of TensorRT {tensorrt} takes all {graphs} graphs"
        typer.echo(taken.format(**found["preflight"]))
        if target == HOST:
            typer.echo("\n".join(engine_lines(made)))
    options.print_result(
        output,
        manifest,
        started,
        as_json,
        {**found, **more},
        next_step=options.NEXT["ort" if target == HOST else "trt"],
    )


def _profile(target: str, jetpack: str | None, tensorrt: str | None) -> TargetProfile:
    """Return the target with the release and the version that are asked for."""
    if target == HOST:
        return profile_here(jetpack, tensorrt)
    profile = get_target(target)
    check_backend(profile, "trt")
    if jetpack is not None:
        return with_jetpack(profile, jetpack, tensorrt)
    return profile if tensorrt is None else with_tensorrt(profile, tensorrt)


def _served(profile: TargetProfile, asked: str, fallback: bool) -> str:
    """Return the precision that is asked for, or with a word about it what is nearest."""
    if not fallback:
        return check_precision(profile, asked).name
    found = nearest_precision(profile, asked).name
    if found != asked:
        note = next(entry.note for entry in profile.precisions if entry.name == asked)
        typer.echo(f"{asked} falls back to {found} on {profile.id}: {note}", err=True)
    return found


def _rewrite(export: Callable[..., Manifest], pins: "Pins") -> None:
    export(also_pinned=pins, force=True)


def _export_float(
    checkpoint: "LoadedModel",
    target: TargetProfile,
    output: Path,
    rungs: tuple[int, ...],
    precision: str,
    recording: "tuple[Recording, Provenance]",
    *,
    also_pinned: "Pins | None" = None,
    force: bool,
) -> Manifest:
    """Export in FP32 or FP16 behind a progress bar; raises as `write_trt_bundle`."""
    from sam2lite.exporter.bundle.writer import ExportJob
    from sam2lite.exporter.tensorrt.bundle import write_trt_bundle

    steps = len(ExportJob.plan(checkpoint, rungs).keys) + 2
    with options.reported_steps("export", steps) as report:
        manifest = write_trt_bundle(
            checkpoint,
            target,
            output,
            precision,
            recording,
            rungs=rungs,
            also_pinned=also_pinned,
            force=force,
            report=report,
        )
    loop = manifest.verification.get("fp16_loop")
    if loop is not None:
        typer.echo(
            f"FP16 over {loop['frames']} frames, every value rounded to it: mean IoU with PyTorch "
            f"{loop['mean_iou']:.4f}, lowest {loop['min_iou']:.4f}, {loop['decisions_differ']} of "
            f"{loop['present'] + loop['absent']} decisions differ, "
            f"{loop['tied_choices']} tied candidates",
            err=True,
        )
    return manifest
