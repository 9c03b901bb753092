"""The options by which commands are told what to do to masks before they are shown."""

from typing import Annotated

import typer

Islands = Annotated[
    int,
    typer.Option(
        "--remove-islands",
        metavar="PX",
        min=0,
        help="Remove parts of an object of at most so many pixels; its largest part stays.",
        show_default="none",
    ),
]
Holes = Annotated[
    int,
    typer.Option(
        "--fill-holes",
        metavar="PX",
        min=0,
        help="Fill holes of at most so many pixels.",
        show_default="none",
    ),
]
MinIou = Annotated[
    float,
    typer.Option(
        metavar="IOU", min=0.0, max=1.0, help="Hide masks of a lower predicted IoU than this."
    ),
]
MinStability = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        min=0.0,
        max=1.0,
        help="Hide masks of which a smaller share stays where the threshold moves by a logit.",
    ),
]
BoxNms = Annotated[
    float,
    typer.Option(
        metavar="IOU",
        min=0.0,
        max=1.0,
        help="Of masks whose boxes overlap by more, hide all but the surest.",
    ),
]
