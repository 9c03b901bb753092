"""What lies at a path, before anybody knows which family it is of."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.models.checkpoint import (
    CONFIG_FILE,
    LAYOUT,
    WEIGHTS_FILE,
    damaged,
    need_safetensors,
    read_object,
)

PICKLED = (".pt", ".pth", ".bin", ".ckpt")
_WRAPPERS = ("model", "state_dict")  # under which trainers keep the tensors
_SHOWN = 3  # names of tensors, in an error message


class Found(NamedTuple):
    """The names of a checkpoint's tensors, and its configuration, where it has them."""

    path: Path
    keys: tuple[str, ...]
    config: Mapping[str, Any] | None

    @property
    def words(self) -> str:
        """What was found, for people."""
        shown = ", ".join(sorted(self.keys)[:_SHOWN])
        count = f"{len(self.keys)} tensor{'s' if len(self.keys) > 1 else ''}"
        tensors = f"{count} ({shown}, ...)" if self.keys else "no weights"
        if self.config is None:
            return f"{tensors}, no {CONFIG_FILE}"
        return f"{tensors}, {CONFIG_FILE} with model_type {self.config.get('model_type')!r}"


def look_at(path: Path) -> Found:
    """Look at a folder of a checkpoint, or at a file of weights; no tensor is read.

    Raises:
        ModelError: it is neither, or damaged.
        DependencyError: safetensors is not installed.
    """
    if path.suffix == ".safetensors" and path.is_file():
        return Found(path, _keys(path), None)
    if path.suffix in PICKLED and path.is_file():
        return Found(path, _pickled_keys(path), None)
    if path.is_file():
        raise ModelError(f"{path} is no file of weights; {LAYOUT}")
    config = read_object(path / CONFIG_FILE)
    weights = path / WEIGHTS_FILE
    return Found(path, _keys(weights) if weights.is_file() else (), config)


def _keys(path: Path) -> tuple[str, ...]:
    safetensors = need_safetensors("reading a checkpoint")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return tuple(file.keys())
    except safetensors.SafetensorError as error:
        raise damaged(path, error) from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error}; {LAYOUT}") from None


def _pickled_keys(path: Path) -> tuple[str, ...]:
    """Read the names alone: tensors stay on the disk, and nothing of a stranger's code runs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever a damaged archive or pickle makes torch stumble over
        raise ModelError(
            f"{path} is damaged or holds more than weights ({type(error).__name__}); copy it "
            "again, or save its state dict alone"
        ) from None
    for name in _WRAPPERS:
        if isinstance(data, dict) and isinstance(data.get(name), dict):
            data = data[name]
    items = data.items() if isinstance(data, dict) else ()
    return tuple(str(key) for key, value in items if isinstance(value, Tensor))
