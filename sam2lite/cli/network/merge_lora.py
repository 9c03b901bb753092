"""`sam2lite merge-lora`: a checkpoint with the low-rank updates of a run in its weights."""

from pathlib import Path
from typing import Annotated

import typer


def merge_lora(
    lora: Annotated[
        Path, typer.Argument(metavar="FILE", help="lora.safetensors of `sam2lite train --lora`.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the checkpoint.")
    ],
    model: Annotated[
        str, typer.Option(metavar="NAME|DIR", help="What the run started from.")
    ] = "tiny",
    force: Annotated[bool, typer.Option("--force", help="Replace the checkpoint.")] = False,
) -> None:
    """Put low-rank updates into a network's weights.

    What is written is a checkpoint of the same size, which costs no more to run. The folder
    of a run has it already; this is for updates that went elsewhere by themselves.
    """
    from sam2lite.training.low_rank.merging import merge

    name = merge(model, lora, output, force=force)
    typer.echo(f"{output}: {name} with the updates of {lora}")
