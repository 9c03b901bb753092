"""The state of a run in one file: written beside the old one, then put in its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from sam2lite.contracts.arguments import whole_number
from sam2lite.errors import ArgumentError, TrainingError
from sam2lite.files.json_reading import parse_json
from sam2lite.files.reading import printable
from sam2lite.models.tensor_files import claimed_tensors
from sam2lite.training.run.tensor_file import replace_tensors

STATE_FILE = "state.safetensors"
_ANEW = "start anew with --force"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: the next one.
        elapsed_s: time trained, in all sessions.
        options: what the run was started with, to be the same on resuming.
    """

    step: int
    elapsed_s: float
    options: dict[str, Any]


def save_state(
    folder: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Mapping[str, Tensor],
    ranges: Mapping[str, Tensor],
    progress: Progress,
) -> None:
    """Write everything that resuming needs; an older file survives any failure.

    There is no random state in it: every step seeds its own. `ranges` is what the simulation of
    INT8 has observed.

    Raises:
        TrainingError: the file cannot be written.
    """
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in average.items()}
    tensors |= {f"range/{path}": tensor for path, tensor in ranges.items() if tensor.any()}
    for index, values in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": values[name] for name in _MOMENTS}
    metadata = {
        "progress": json.dumps(
            {"step": progress.step, "elapsed_s": progress.elapsed_s, "options": progress.options}
        )
    }
    path = folder / STATE_FILE
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        replace_tensors(path, stored, metadata)
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingError(
            f"cannot write {path} at step {progress.step}: {error}; the state before it is kept: "
            "make room, then go on with --resume"
        ) from None


def read_progress(folder: Path) -> Progress:
    """Return how far the run in a folder is.

    Raises:
        TrainingError: there is none, or its file is damaged.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        raise TrainingError(f"there is no run to resume in {folder}: {STATE_FILE} is missing")
    _, words = claimed_tensors(path, TrainingError, _ANEW)
    raw = words.get("progress", "").encode("utf-8", "replace")
    values = parse_json(raw, str(path), TrainingError, _ANEW)
    error: Exception | None
    try:
        step, elapsed_s, options = values["step"], values["elapsed_s"], values["options"]
        whole_number("step", step, 0)
        sound = type(elapsed_s) in (int, float) and elapsed_s >= 0 and isinstance(options, dict)
        error = None if sound else TypeError("elapsed_s or options is none")
    except (ArgumentError, KeyError, TypeError) as fault:
        error = fault
    if error is not None:
        raise TrainingError(f"{printable(path)} is damaged or no state of a run ({error}); {_ANEW}")
    return Progress(step, elapsed_s, options)


def load_state(
    folder: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Mapping[str, Tensor],
    ranges: Mapping[str, Tensor],
) -> Progress:
    """Put everything back in place.

    Raises:
        TrainingError: the file is missing, damaged, or of another network.
    """
    progress = read_progress(folder)
    path = folder / STATE_FILE
    try:
        # Before anything changes: all of it, in the shapes that it has here.
        claimed, _ = claimed_tensors(path, TrainingError, _ANEW)
        _check_shapes(claimed, model, optimiser, average, ranges)
        tensors = safetensors.torch.load_file(path)
        model.load_state_dict({name: tensors[f"model/{name}"] for name in model.state_dict()})
        for name, tensor in average.items():
            tensor.copy_(tensors[f"average/{name}"])
        for layer, tensor in ranges.items():
            if f"range/{layer}" in tensors:  # only of layers that stage 3 has run
                tensor.copy_(tensors[f"range/{layer}"])
    except (KeyError, RuntimeError, ValueError, OSError, safetensors.SafetensorError) as error:
        raise TrainingError(
            f"{printable(path)} is of another network ({printable(error)}); {_ANEW}"
        ) from None
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state = optimiser.state_dict()
    state["state"] = {
        index: {
            name: _laid_out(tensors[f"optimiser/{index}/{name}"], parameter) for name in _MOMENTS
        }
        for index, parameter in enumerate(parameters)
        if f"optimiser/{index}/step" in tensors
    }
    optimiser.load_state_dict(state)
    return progress


def _check_shapes(
    claimed: Mapping[str, Tensor],
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: Mapping[str, Tensor],
    ranges: Mapping[str, Tensor],
) -> None:
    """Raise KeyError or ValueError unless a file has what resuming takes."""
    expected = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    expected |= {f"average/{name}": tensor for name, tensor in average.items()}
    maybe = {f"range/{layer}": tensor for layer, tensor in ranges.items()}
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for index, parameter in enumerate(parameters):
        # A scalar counts steps; the moments are the parameter's.
        moments = {f"optimiser/{index}/{name}": parameter for name in _MOMENTS[:2]}
        moments[f"optimiser/{index}/step"] = torch.empty((), device="meta")
        (expected if f"optimiser/{index}/step" in claimed else maybe).update(moments)
    for name, tensor in expected.items():
        if claimed[name].shape != tensor.shape:
            raise ValueError(f"{name} is {list(claimed[name].shape)}, not {list(tensor.shape)}")
    for name, tensor in maybe.items():
        if name in claimed and claimed[name].shape != tensor.shape:
            raise ValueError(f"{name} is {list(claimed[name].shape)}, not {list(tensor.shape)}")


def _laid_out(moment: Tensor, parameter: Tensor) -> Tensor:
    """Return a moment in its parameter's memory layout: the fused optimiser pairs them as stored.

    Files hold no layout, and kernels are kept channels-last.
    """
    if moment.shape != parameter.shape:
        return moment  # the count of steps
    return torch.empty_like(parameter).copy_(moment).detach()
