"""`sam2lite-export openvino`: a verified bundle for OpenVINO."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.export import options, request
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.json_output import ToJson
from sam2lite.cli.reports.exported import print_result


def openvino(
    output: options.Output = None,
    model: options.MaybeModel = None,
    variant: options.Variant = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Processor or GPU; `host` is the CPU of this machine. See `sam2lite targets`.",
            show_default="host",
        ),
    ] = None,
    rungs: options.Rungs = None,
    image_sizes: options.ImageSizes = None,
    opset: Annotated[
        int | None,
        typer.Option(help="ONNX operator set, 13 to 20.", show_default="the target's"),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="fp32, fp16, bf16 or int8.", show_default="fp32"),
    ] = None,
    fp16: options.Fp16 = False,
    int8: options.Int8 = False,
    fallback: options.Fallback = False,
    calib: quantize.Source = None,
    calib_frames: quantize.Frames = None,
    calib_seed: quantize.MaybeSeed = None,
    observer: quantize.MaybeObserver = None,
    ranges: quantize.Ranges = None,
    keep_float: quantize.KeepFloat = None,
    max_drop: quantize.MaxDrop = None,
    accept_drop: quantize.AcceptDrop = False,
    skip_pass: options.SkipPass = None,
    recipe: options.RecipeFile = None,
    save_recipe: options.SaveRecipe = None,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    as_json: ToJson = None,
) -> None:
    """Export a network to a bundle for OpenVINO.

    Graphs are standard ONNX, INT8 as Q/DQ. Every graph is compared with PyTorch, and so is the
    whole frame loop over a clip, in OpenVINO where it is installed and in ONNX Runtime elsewhere;
    the bundle's manifest says which. Exit code 3 if a bound is missed.

    With --precision bf16, CPUs that have BF16 compute in it. An option that the precision does not
    use is refused.
    """
    asked = request.ask(
        "openvino",
        recipe=recipe,
        save_recipe=save_recipe,
        dry_run=dry_run,
        as_json=as_json,
        output=output,
        model=model,
        variant=variant,
        target=target,
        sizes=options.parse_sizes(rungs, image_sizes),
        opset=opset,
        precision=options.choose_precision(precision, fp16=fp16, int8=int8),
        fallback=fallback,
        calib=calib,
        calib_frames=calib_frames,
        calib_seed=calib_seed,
        observer=observer,
        ranges=ranges,
        keep_float=keep_float,
        max_drop=max_drop,
        accept_drop=accept_drop,
        skip_passes=skip_pass,
        force=force,
    )
    bundle = request.run(asked)
    if bundle is None:
        return
    found = bundle.manifest.verification["openvino"]
    print_result(
        Path(bundle.path),
        bundle.manifest,
        asked.started,
        as_json,
        {"openvino": found},
        lines=[f"checked with {found['checked_with']}"],
    )
