"""A checkpoint with low-rank updates in its weights."""

from __future__ import annotations

from pathlib import Path

from sam2lite.contracts.provenance import OWN
from sam2lite.errors import ModelError
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.training.low_rank.file import with_updates


def merge(model: str, updates: Path, folder: Path, *, force: bool = False) -> str:
    """Write it, and return the network's name.

    Args:
        model: name or path of what the updates were trained for.
        updates: their file.
        folder: of the checkpoint.
        force: replace one that is there.

    Raises:
        ModelError: the network is of a family that is not trained here, or as for `with_updates`.
        OutputError: the folder exists, or cannot be written.
    """
    loaded = load_model(model)
    if not isinstance(loaded.model, Sam2Lite):
        raise ModelError(
            f"{model} is of the family {loaded.family.title}, which is not trained here; give "
            "what the run started from"
        )
    state = with_updates(loaded, updates)
    loaded.model.load_state_dict(state)
    save_checkpoint(
        loaded.model,
        folder,
        licence=loaded.licence,
        weights=OWN,
        force=force,
        activation_ranges=loaded.activation_ranges,
    )
    return loaded.name
