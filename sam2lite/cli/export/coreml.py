"""`sam2lite-export coreml`: a bundle of Core ML packages for iPhones and iPads."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.export import options, request
from sam2lite.cli.export.command import FOOTAGE, LAST, SIZES, export_command
from sam2lite.cli.reports.coreml import package_lines, package_report
from sam2lite.cli.reports.exported import print_result


@export_command(
    output=options.Output,
    target=Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="ios16, ios17 or ios18: the oldest iOS to run on.",
            show_default="ios17",
        ),
    ],
    model=options.MaybeModel,
    variant=options.Variant,
    **SIZES,
    precision=Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="fp16, int8, w8a8, int4, palette6 or palette4; see `sam2lite targets ID`.",
            show_default="fp16",
        ),
    ],
    fp16=options.Fp16,
    int8=Annotated[bool, typer.Option("--int8", help="Short for --precision int8: weights alone.")],
    fallback=options.Fallback,
    **FOOTAGE,
    **LAST,
)
def coreml(asked: request.Asked) -> None:
    """Export Core ML packages for an Xcode project.

    From iOS 18 on, one package holds a graph at all input sizes, its weights once; before, there is
    one package for each. Every package is read again and evaluated by a simulation of Core ML's
    operators, against PyTorch: graph by graph, and over a clip through the frame loop. No Core ML
    takes part in that, and no time is measured. Exit code 3 if a bound is missed.
    """
    bundle = request.run(asked)
    if bundle is not None:
        print_result(
            Path(bundle.path),
            bundle.manifest,
            asked.started,
            asked.as_json,
            {"packages": package_report(bundle.manifest)},
            lines=package_lines(bundle.manifest),
        )
