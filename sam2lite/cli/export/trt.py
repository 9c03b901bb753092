"""`sam2lite-export trt`: a verified bundle from which a board builds its TensorRT engines."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sam2lite.cli.export import options, request
from sam2lite.cli.export.command import CALIBRATION, LAST, SHORT, SIZES, export_command
from sam2lite.cli.reports.engines import built_engines, engine_lines
from sam2lite.cli.reports.exported import print_result
from sam2lite.cli.reports.memory import describe_memory
from sam2lite.contracts.backends import TRACK
from sam2lite.runtimes.bundle import Bundle
from sam2lite.targets.registry import HOST


@export_command(
    output=options.Output,
    target=Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Board or GPU; see `sam2lite targets`. host: this machine.",
            show_default="the recipe's",
        ),
    ],
    jetpack=options.JetPack,
    tensorrt=Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="That is installed there, where it is not the usual one.",
            show_default="the release's",
        ),
    ],
    model=options.MaybeModel,
    variant=options.Variant,
    **SIZES,
    precision=options.GpuPrecision,
    **SHORT,
    fallback=options.Fallback,
    **CALIBRATION,
    **LAST,
)
def trt(asked: request.Asked) -> None:
    """Export a bundle of which a board builds its TensorRT engines.

    An engine works on the chip and with the TensorRT it was built with, so none is made here: the
    bundle has graphs that the target's TensorRT takes, the plan of the build, and device.pyz;
    copy it to the board and run there: python3 device.pyz build

    With --target host, on a machine with an NVIDIA GPU, TensorRT and polygraphy, the engines are
    built here too. Each is compared with ONNX Runtime; where one in FP16 is too far off, the layers
    that break it are found by building it again, some 15 times, and pinned to FP32.

    Every graph is compared with PyTorch, and so is the whole frame loop over a clip, in ONNX
    Runtime. What FP16 loses is computed with every value rounded to FP16. Exit code 3 if a bound
    is missed, also by an engine, or if the target's parser would not take a graph. An option that
    the precision does not use is refused.
    """
    bundle = request.run(asked)
    if bundle is not None:
        _print(bundle, asked)


def _print(bundle: Bundle, asked: request.Asked) -> None:
    """Print the estimate of memory, what the parser takes, and the engines that were built."""
    manifest = bundle.manifest
    found = {name: manifest.verification[name] for name in ("preflight", "memory")}
    taken = "preflight: the parser of TensorRT {tensorrt} takes all {graphs} graphs"
    lines = [*describe_memory(found["memory"]), taken.format(**found["preflight"])]
    more: dict[str, Any] = {"engine": manifest.status}
    next_step = None
    if asked.recipe.target == HOST:
        engines = built_engines(bundle.path, manifest)
        more = {"engine": "engine: built", "engines": engines}
        lines += engine_lines(engines)
        next_step = TRACK  # its engines are here
    print_result(
        Path(bundle.path),
        manifest,
        asked.started,
        asked.as_json,
        {**found, **more},
        lines=lines,
        next_step=next_step,
    )
