"""`sam2lite merge-lora`: a checkpoint with the low-rank updates of a run in its weights."""

from pathlib import Path
from typing import Annotated

import typer

from sam2lite.errors import ModelError


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
    from sam2lite.contracts.provenance import OWN
    from sam2lite.models.registry import load_model
    from sam2lite.models.sam2lite.checkpoint import save_checkpoint
    from sam2lite.models.sam2lite.network import Sam2Lite
    from sam2lite.training.low_rank.file import with_updates

    loaded = load_model(model)
    if not isinstance(loaded.model, Sam2Lite):
        raise ModelError(
            f"{model} is of the family {loaded.family.title}, which is not trained here; give "
            "what the run started from"
        )
    state = with_updates(loaded, lora)
    loaded.model.load_state_dict(state)
    save_checkpoint(
        loaded.model,
        output,
        licence=loaded.licence,
        weights=OWN,
        force=force,
        activation_ranges=loaded.activation_ranges,
    )
    typer.echo(f"{output}: {loaded.name} with the updates of {lora}")
