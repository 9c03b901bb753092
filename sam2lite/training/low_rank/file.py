"""Files of low-rank updates: small, apart from the network, and of that network alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from torch import Tensor

from sam2lite.errors import ModelError, TrainingError
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import check_finite, read_weights
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.tensor_files import claimed_tensors
from sam2lite.training.low_rank.update import added, updates
from sam2lite.training.run.tensor_file import replace_tensors

LORA_FILE = "lora.safetensors"
FORMAT = "sam2lite-lora-1"
_AGAIN = "copy it again from the folder of its run"


@dataclass(frozen=True)
class Origin:
    """What updates were trained for.

    Attributes:
        model: name of the network.
        sha256: of its weights.
        rank: of every update.
        alpha: of every update.
    """

    model: str
    sha256: str
    rank: int
    alpha: float


def save_updates(path: Path, state: Mapping[str, Tensor], origin: Origin) -> None:
    """Write the updates that a state dict has; an older file survives any failure.

    Raises:
        TrainingError: it cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in updates(state).items()}
    words = {name: str(value) for name, value in vars(origin).items()}
    try:
        replace_tensors(path, tensors, {"format": FORMAT, **words})
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingError(f"cannot write {path}: {error}; make room") from None


def with_updates(loaded: LoadedModel, path: Path) -> dict[str, Tensor]:
    """Return the state dict of a network with the updates of a file added.

    Args:
        loaded: the network that they were trained for.
        path: of the file.

    Raises:
        ModelError: the file is damaged, no file of updates, or of another network or rank.
    """
    claimed, words = claimed_tensors(path, ModelError, _AGAIN)
    if words.get("format") != FORMAT:
        raise ModelError(
            f"{printable(path)} holds no low-rank updates of `sam2lite train --lora`; give the "
            f"{LORA_FILE} of a run"
        )
    try:
        origin = Origin(words["model"], words["sha256"], int(words["rank"]), float(words["alpha"]))
        scale = torch.tensor(origin.alpha / origin.rank)
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise ModelError(f"{printable(path)} is damaged ({printable(error)}); {_AGAIN}") from None
    if origin.sha256 != loaded.sha256:
        raise ModelError(
            f"{printable(path)} was trained for other weights: {printable(origin.model)} with "
            f"SHA-256 {printable(origin.sha256)[:12]}, and {loaded.name} here has "
            f"{loaded.sha256[:12]}; give the checkpoint that the run started from"
        )
    state = loaded.model.state_dict()
    _check_shapes(path, claimed, state, origin.rank)
    found, _ = read_weights(path)
    check_finite(path, found)
    return added(state, found, scale)


def _check_shapes(
    path: Path, claimed: Mapping[str, Tensor], state: Mapping[str, Tensor], rank: int
) -> None:
    layers = {name.rpartition(".")[0] for name in claimed}
    expected: dict[str, list[int]] = {}
    for layer in layers:
        weight = state.get(f"{layer}.weight")
        if weight is None or weight.ndim < 2:
            raise ModelError(
                f"{printable(path)} has an update of {printable(layer)}, which is no layer with a "
                f"matrix here; {_AGAIN}"
            )
        expected[f"{layer}.a"] = [rank, weight[0].numel()]
        expected[f"{layer}.b"] = [weight.shape[0], rank]
    for name, shape in expected.items():
        there = list(claimed[name].shape) if name in claimed else None
        if there != shape:
            raise ModelError(
                f"{printable(path)} has {printable(name)} as {there}, and at rank {rank} it is "
                f"{shape}; {_AGAIN}"
            )
