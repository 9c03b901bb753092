"""`sam2lite-export ort`: a verified bundle for ONNX Runtime."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.bench.against.choice import advice
from sam2lite.cli.export import options, request
from sam2lite.cli.export.command import CALIBRATION, FIRST, LAST, SHORT, SIZES, export_command
from sam2lite.cli.reports.exported import print_result
from sam2lite.contracts.backends import TRACK, TRACK_ELSEWHERE, TRACK_ON_BOARD
from sam2lite.errors import ArgumentError
from sam2lite.runtimes.bundle import Bundle
from sam2lite.targets.registry import host_target


@export_command(
    **FIRST,
    target=Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Device; `host` is this machine. See `sam2lite targets`.",
            show_default="host",
        ),
    ],
    **SIZES,
    opset=Annotated[
        int | None,
        typer.Option(
            help="ONNX operator set, 13 to 20; 15 for ONNX Runtime 1.10, the last for Python 3.6.",
            show_default="the target's",
        ),
    ],
    device_app=Annotated[
        bool,
        typer.Option(
            "--device-app", help="Add device.pyz, which runs the bundle where nothing is installed."
        ),
    ],
    precision=options.Precision,
    **SHORT,
    **CALIBRATION,
    **LAST,
)
def ort(asked: request.Asked) -> None:
    """Export a bundle that ONNX Runtime runs on a CPU.

    Every graph is compared with PyTorch, and so is the whole frame loop over a clip; both results
    stand in the bundle's manifest. Exit code 3 if a bound is missed.

    With --int8, tensors are observed while the float loop tracks, layers are put back into float
    until the bundle is as accurate as asked for, and what it lost is printed. With --fp16, weights
    take half the room. An option that the precision does not use is refused.
    """
    bundle = request.run(asked)
    if bundle is not None:
        step = _next_step(bundle, device_app=asked.recipe.device_app)
        manifest = bundle.manifest
        known = advice(manifest.model.name, manifest.precision) if asked.for_here else None
        print_result(
            Path(bundle.path),
            manifest,
            asked.started,
            asked.as_json,
            lines=[known] if known else [],
            next_step=step,
        )


def _next_step(bundle: Bundle, *, device_app: bool) -> str:
    """Return what to do with a bundle: that depends on where it is to run, and by what."""
    if device_app:
        return TRACK_ON_BOARD
    try:
        here = bundle.manifest.target["id"] == host_target().id
    except ArgumentError:
        here = False
    return TRACK if here else TRACK_ELSEWHERE
