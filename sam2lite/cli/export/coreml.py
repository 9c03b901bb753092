"""`sam2lite-export coreml`: a bundle of Core ML packages for iPhones and iPads."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.export import options, request
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.json_output import ToJson
from sam2lite.cli.reports.coreml import package_lines, package_report
from sam2lite.cli.reports.exported import print_result


def coreml(
    output: options.Output = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="ios16, ios17 or ios18: the oldest iOS to run on.",
            show_default="ios17",
        ),
    ] = None,
    model: options.MaybeModel = None,
    variant: options.Variant = None,
    rungs: options.Rungs = None,
    image_sizes: options.ImageSizes = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="fp16, int8, w8a8, int4, palette6 or palette4; see `sam2lite targets ID`.",
            show_default="fp16",
        ),
    ] = None,
    fp16: options.Fp16 = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="Short for --precision int8: weights alone.")
    ] = False,
    fallback: options.Fallback = False,
    calib: quantize.Source = None,
    calib_frames: quantize.Frames = None,
    calib_seed: quantize.MaybeSeed = None,
    recipe: options.RecipeFile = None,
    save_recipe: options.SaveRecipe = None,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    as_json: ToJson = None,
) -> None:
    """Export Core ML packages for an Xcode project.

    From iOS 18 on, one package holds a graph at all input sizes, its weights once; before, there is
    one package for each. Every package is read again and evaluated by a simulation of Core ML's
    operators, against PyTorch: graph by graph, and over a clip through the frame loop. No Core ML
    takes part in that, and no time is measured. Exit code 3 if a bound is missed.
    """
    asked = request.ask(
        "coreml",
        recipe=recipe,
        save_recipe=save_recipe,
        dry_run=dry_run,
        as_json=as_json,
        output=output,
        target=target,
        model=model,
        variant=variant,
        sizes=options.parse_sizes(rungs, image_sizes),
        precision=options.choose_precision(precision, fp16=fp16, int8=int8),
        fallback=fallback,
        calib=calib,
        calib_frames=calib_frames,
        calib_seed=calib_seed,
        force=force,
    )
    bundle = request.run(asked)
    if bundle is not None:
        print_result(
            Path(bundle.path),
            bundle.manifest,
            asked.started,
            as_json,
            {"packages": package_report(bundle.manifest)},
            lines=package_lines(bundle.manifest),
        )
