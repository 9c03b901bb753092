"""Files of checkpoints, whatever the family: reading them, and what is said of damaged ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

from sam2lite.errors import DependencyError, ModelError

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
LAYOUT = f"a checkpoint is a folder with {CONFIG_FILE} and {WEIGHTS_FILE}"
LISTED_KEYS = 10  # of those that do not fit, in an error message


def need_safetensors(purpose: str) -> ModuleType:
    """Return the package.

    Raises:
        DependencyError: it is not installed.
    """
    try:
        import safetensors.torch
    except ImportError:
        raise DependencyError("safetensors", "export", purpose) from None
    return safetensors


def read_file(path: Path) -> bytes:
    """Return the bytes of a checkpoint's file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; {LAYOUT}") from None


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        ModelError: it cannot be read, is not JSON, or holds something else.
    """
    try:
        values = json.loads(read_file(path))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds a {type(values).__name__}; it must hold a JSON object")
    return values


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a safetensors file, and its SHA-256.

    Raises:
        ModelError: it cannot be read, or is damaged.
        DependencyError: safetensors is not installed.
    """
    data = read_file(path)
    safetensors = need_safetensors("reading a checkpoint")
    try:
        return safetensors.torch.load(data), hashlib.sha256(data).hexdigest()
    except safetensors.SafetensorError as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> ModelError:
    """Return what is said of a file that safetensors does not take."""
    return ModelError(f"{path} is damaged or no safetensors file ({error}); copy it again")


def check_fit(folder: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Compare the tensors of a checkpoint with those of the network that it describes.

    Raises:
        ModelError: some are missing, left over, or of another shape or kind of type; they are
            listed.
    """
    lines = [
        f"{name}: expected {_describe(expected.get(name))}, found {_describe(found.get(name))}"
        for name in sorted({*expected, *found})
        if name not in expected
        or name not in found
        or expected[name].shape != found[name].shape
        or expected[name].is_floating_point() != found[name].is_floating_point()
    ]
    if lines:
        more = len(lines) - LISTED_KEYS
        listed = lines[:LISTED_KEYS] + ([f"and {more} more"] if more > 0 else [])
        raise ModelError(
            f"{len(lines)} tensors in {folder / WEIGHTS_FILE} do not fit {CONFIG_FILE}:\n  "
            + "\n  ".join(listed)
        )


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Hash a state dict: sorted by name, a line of name, type and shape, then the bytes."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _describe(tensor: Tensor | None) -> str:
    if tensor is None:
        return "nothing"
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
