"""The same weights with another memory budget, on which no parameter depends."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.models.sam2lite.family import HOST
from sam2lite.models.sam2lite.network import build


def rebudgeted(checkpoint: Path, budget: int, folder: Path) -> Path:
    """Write a checkpoint whose network has another budget, and return its folder.

    Args:
        checkpoint: a folder.
        budget: tokens of an object's memory.
        folder: what to create.

    Raises:
        ModelError: the checkpoint cannot be loaded.
        OutputError: the folder exists or cannot be written.
    """
    loaded = HOST.load(checkpoint)
    model = build(dataclasses.replace(loaded.model.config, budget=budget))
    model.load_state_dict(loaded.model.state_dict())
    save_checkpoint(model, folder, weights=loaded.weights)
    return folder
