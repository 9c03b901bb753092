"""The folder of a run that trains an image encoder; it is itself the checkpoint that is trained."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from torch import Tensor

from sam2lite.errors import TrainingError
from sam2lite.files.atomic import write_atomically
from sam2lite.models.activation_ranges import RANGES_FILE, ranges_text
from sam2lite.models.checkpoint import CONFIG_FILE, WEIGHTS_FILE
from sam2lite.training.run.state import STATE_FILE
from sam2lite.training.run.tensor_file import replace_tensors

LOG_FILE = "log.csv"
FEATURES_FOLDER = "features"
_MADE = (CONFIG_FILE, WEIGHTS_FILE, RANGES_FILE, STATE_FILE, LOG_FILE)


def start_anew(folder: Path, force: bool) -> None:
    """Prepare a folder for a new run; the teacher's maps that are there are kept.

    Raises:
        TrainingError: there is a run already; or files that a run would replace and no run; or the
            folder cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder} is a file; name a folder")
    there = [name for name in _MADE if os.path.lexists(folder / name)]
    if there and STATE_FILE not in there:
        raise TrainingError(
            f"{folder} holds {there[0]}, which a run would replace, and no run; choose another "
            "folder"
        )
    if there and not force:
        raise TrainingError(
            f"{folder} holds a run; go on with --resume, start anew with --force, or choose "
            "another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in there:
            (folder / name).unlink()
    except OSError as error:
        raise TrainingError(f"cannot write to {folder}: {error.strerror}") from None


def keep_checkpoint(
    folder: Path,
    state: Mapping[str, Tensor],
    config: Mapping[str, Any],
    ranges: Mapping[str, tuple[float, float]],
) -> None:
    """Write the weights in place of older ones of the same run.

    Args:
        folder: of the run.
        state: the weights.
        config: of the network.
        ranges: that layers had in INT8, by path; no file is written for none.

    Raises:
        TrainingError: they cannot be written.
    """
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    try:
        replace_tensors(folder / WEIGHTS_FILE, stored)
        write_atomically(str(folder / CONFIG_FILE), (json.dumps(config, indent=2) + "\n").encode())
        if ranges:
            write_atomically(str(folder / RANGES_FILE), ranges_text(ranges))
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingError(f"cannot write the checkpoint {folder}: {error}; make room") from None
