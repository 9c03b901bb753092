"""`sam2lite-export web`: a folder that any static server serves, and browsers run."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.export import options, request
from sam2lite.cli.export import quantize_options as quantize
from sam2lite.cli.json_output import ToJson
from sam2lite.cli.reports.exported import print_result


def web(
    output: options.Output = None,
    model: options.MaybeModel = None,
    variant: options.Variant = None,
    runtime: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="onnxruntime-web 1.30.0: the file that `npm pack onnxruntime-web@1.30.0` makes, "
            "or a folder that has it.",
            show_default="onnxruntime-web-1.30.0.tgz",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="ID", help="See `sam2lite targets`.", show_default="web"),
    ] = None,
    rungs: options.Rungs = None,
    image_sizes: options.ImageSizes = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="fp32, fp16 or int8.", show_default="fp16"),
    ] = None,
    fp16: options.Fp16 = False,
    int8: options.Int8 = False,
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
    """Export a page that follows objects in the browser.

    The folder has the graphs, the frame loop, and ONNX Runtime's build for browsers, which is not
    part of this package: it is given with --runtime, and taken only if its hashes are those that
    were published. Nothing is downloaded, neither by this command nor by the page.

    The folder is a bundle as well: `sam2lite track --bundle` runs its graphs on this machine.
    """
    asked = request.ask(
        "web",
        recipe=recipe,
        save_recipe=save_recipe,
        dry_run=dry_run,
        as_json=as_json,
        output=output,
        model=model,
        variant=variant,
        runtime=runtime,
        target=target,
        sizes=options.parse_sizes(rungs, image_sizes),
        precision=options.choose_precision(precision, fp16=fp16, int8=int8),
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
    if bundle is not None:
        print_result(Path(bundle.path), bundle.manifest, asked.started, as_json)
