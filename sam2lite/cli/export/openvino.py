"""`sam2lite-export openvino`: a verified bundle for OpenVINO."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.bench.against.choice import HOW, advice
from sam2lite.cli.export import options, request
from sam2lite.cli.export.command import CALIBRATION, FIRST, LAST, SHORT, SIZES, export_command
from sam2lite.cli.reports.exported import print_result


@export_command(
    **FIRST,
    target=Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Processor or GPU; `host` is the CPU of this machine, and says what was measured "
            "to be faster on it. See `sam2lite targets`.",
            show_default="host",
        ),
    ],
    **SIZES,
    opset=Annotated[
        int | None,
        typer.Option(help="ONNX operator set, 13 to 20.", show_default="the target's"),
    ],
    precision=Annotated[
        str | None,
        typer.Option(metavar="NAME", help="fp32, fp16, bf16 or int8.", show_default="fp32"),
    ],
    **SHORT,
    fallback=options.Fallback,
    **CALIBRATION,
    **LAST,
)
def openvino(asked: request.Asked) -> None:
    """Export a network to a bundle for OpenVINO.

    Graphs are standard ONNX, INT8 as Q/DQ. Every graph is compared with PyTorch, and so is the
    whole frame loop over a clip, in OpenVINO where it is installed and in ONNX Runtime elsewhere;
    the bundle's manifest says which. Exit code 3 if a bound is missed.

    With --precision bf16, CPUs that have BF16 compute in it. An option that the precision does not
    use is refused.
    """
    bundle = request.run(asked)
    if bundle is None:
        return
    manifest = bundle.manifest
    found = manifest.verification["openvino"]
    lines = [f"checked with {found['checked_with']}"]
    if asked.for_here:
        lines.append(advice(manifest.model.name, manifest.precision) or HOW)
    print_result(
        Path(bundle.path),
        manifest,
        asked.started,
        asked.as_json,
        {"openvino": found},
        lines=lines,
    )
