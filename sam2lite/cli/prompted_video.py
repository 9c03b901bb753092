"""The options by which `track` and `compare` are told what to follow, and their warnings."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.runtimes.commands.prompt_flags import BOX_FORM, MASK_FORM, POINT_FORM

Points = Annotated[
    list[str] | None,
    typer.Option(
        "--point",
        metavar=POINT_FORM,
        help="Click on the first frame, in its pixels; label 0 is beside the object. Repeatable.",
    ),
]
Boxes = Annotated[
    list[str] | None,
    typer.Option("--box", metavar=BOX_FORM, help="Box on the first frame. Repeatable."),
]
Masks = Annotated[
    list[str] | None,
    typer.Option(
        "--mask",
        metavar=MASK_FORM,
        help="Mask of the first frame, not 0 on the object, or opaque there alone. Repeatable.",
    ),
]
PromptsFile = Annotated[
    Path | None,
    typer.Option("--prompts", metavar="FILE.json", help="Prompts for any frames and objects."),
]
Frames = Annotated[
    int | None, typer.Option(min=1, help="Stop after so many frames.", show_default="all")
]
Rung = Annotated[
    int | None,
    typer.Option(help="Input size of the network, px.", show_default="the bundle's largest"),
]

Policy = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME",
        help="Of memory pruning.",
        show_default="the network's family's",
    ),
]
Tokens = Annotated[
    int | None,
    typer.Option(
        "--tokens",
        metavar="N",
        help="Memory budget of an object.",
        show_default="the network's",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        help="Stored frames kept beside the prompted one; 0 for no limit.",
        show_default="the network's family's",
    ),
]


def warn(message: str) -> None:
    """Print a warning on standard error."""
    typer.echo(f"warning: {message}", err=True)
