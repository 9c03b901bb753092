"""`sam2lite-export web`: a folder that any static server serves, and browsers run."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.cli.export import request
from sam2lite.cli.export.command import CALIBRATION, FIRST, LAST, SHORT, SIZES, export_command
from sam2lite.cli.reports.exported import print_result


@export_command(
    **FIRST,
    runtime=Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="onnxruntime-web 1.30.0: the file that `npm pack onnxruntime-web@1.30.0` makes, "
            "or a folder that has it.",
            show_default="onnxruntime-web-1.30.0.tgz",
        ),
    ],
    target=Annotated[
        str | None,
        typer.Option(metavar="ID", help="See `sam2lite targets`.", show_default="web"),
    ],
    **SIZES,
    precision=Annotated[
        str | None,
        typer.Option(metavar="NAME", help="fp32, fp16 or int8.", show_default="fp16"),
    ],
    **SHORT,
    **CALIBRATION,
    **LAST,
)
def web(asked: request.Asked) -> None:
    """Export a page that follows objects in the browser.

    The folder has the graphs, the frame loop, and ONNX Runtime's build for browsers, which is not
    part of this package: it is given with --runtime, and taken only if its hashes are those that
    were published. Nothing is downloaded, neither by this command nor by the page.

    The folder is a bundle as well: `sam2lite track --bundle` runs its graphs on this machine.
    """
    bundle = request.run(asked)
    if bundle is not None:
        print_result(Path(bundle.path), bundle.manifest, asked.started, asked.as_json)
