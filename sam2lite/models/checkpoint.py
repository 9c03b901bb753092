"""Files of checkpoints, whatever the family: reading them, and what is said of damaged ones."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from sam2lite.errors import DependencyError, ModelError
from sam2lite.files.json_reading import read_json
from sam2lite.files.reading import printable, read_bytes
from sam2lite.models.tensor_files import claimed_tensors

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
LAYOUT = f"a checkpoint is a folder with {CONFIG_FILE} and {WEIGHTS_FILE}"
COPY_AGAIN = f"copy it again: {LAYOUT}"
LISTED_KEYS = 10  # of those that do not fit, in an error message

_MOST_BYTES = 8 << 30  # of weights
_PARALLEL = "module."
_COMPILED = "._orig_mod."  # between two dots: a name of a module, whatever it is within
_log = logging.getLogger("sam2lite")


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


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        ModelError: it cannot be read, is not JSON, or holds something else.
    """
    values = read_json(str(path), ModelError, LAYOUT)
    if not isinstance(values, dict):
        raise ModelError(
            f"{printable(path)} holds a {type(values).__name__}; it must hold a JSON object"
        )
    return values


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a safetensors file by their own names, and its SHA-256.

    What wrappers put before the names is taken off, which is said.

    Raises:
        ModelError: it cannot be read, is damaged, or has numbers that are not finite.
        DependencyError: safetensors is not installed.
    """
    claimed_tensors(path, ModelError, COPY_AGAIN)
    safetensors = need_safetensors("reading a checkpoint")
    try:
        data = read_bytes(str(path), _MOST_BYTES, ModelError, COPY_AGAIN)
        state = safetensors.torch.load(data)
    except (OSError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        raise ModelError(
            f"{printable(path)} is damaged or no safetensors file ({error}); {COPY_AGAIN}"
        ) from None
    names = plain_names(list(state), path)
    return {names[name]: tensor for name, tensor in state.items()}, sha256(data).hexdigest()


def plain_names(names: Collection[str], path: Path, say: bool = True) -> dict[str, str]:
    """Return the network's own name of every tensor of a file.

    `DistributedDataParallel` puts `module.` before all of them, `torch.compile` puts `_orig_mod.`
    before those of what it compiled, and both may be there.

    Args:
        names: as they are in the file.
        path: of the file.
        say: whether to log what was taken off.

    Raises:
        ModelError: two tensors come to have one name.
    """
    plain, taken = {name: name for name in names}, []
    while True:
        if any(_COMPILED in f".{name}" for name in plain.values()):
            prefix = _COMPILED[1:]
            plain = {key: f".{name}".replace(_COMPILED, ".")[1:] for key, name in plain.items()}
        elif plain and all(name.startswith(_PARALLEL) for name in plain.values()):
            prefix = _PARALLEL
            plain = {key: name.removeprefix(_PARALLEL) for key, name in plain.items()}
        else:
            break
        taken += [prefix] if prefix not in taken else []
    if len(set(plain.values())) < len(plain):
        raise ModelError(
            f"{printable(path)} has tensors twice, with and without {' and '.join(taken)}; save "
            "the state dict of the network itself"
        )
    if taken and say:
        _log.warning(
            "%s: took %s off the names of its tensors, which a wrapper of PyTorch had put there",
            printable(path),
            " and ".join(f"'{prefix}'" for prefix in taken),
        )
    return plain


def check_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse weights that no network can compute with.

    Raises:
        ModelError: some are NaN or infinite; the tensors are named.
    """
    broken = {
        name: int((~torch.isfinite(tensor)).sum())
        for name, tensor in state.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    }
    if broken:
        lines = [
            f"{name}: {count} of {state[name].numel()}" for name, count in sorted(broken.items())
        ]
        raise ModelError(
            f"{len(lines)} tensors in {printable(path)} have numbers that are NaN or infinite; the "
            "training failed before it was saved, so take an earlier checkpoint:\n  "
            + "\n  ".join(_cut(lines))
        )


def check_fit(
    path: Path,
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    described_by: str = CONFIG_FILE,
) -> None:
    """Compare the tensors of a checkpoint with those of the network that it should be.

    Args:
        path: of the weights, for the message.
        expected: tensors of the network.
        found: tensors of the checkpoint.
        described_by: what says which network it should be, for the message.

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
        raise ModelError(
            f"{len(lines)} tensors in {printable(path)} do not fit {described_by}:\n  "
            + "\n  ".join(_cut(lines))
        )


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Hash a state dict: sorted by name, a line of name, type and shape, then the bytes."""
    digest = sha256()
    for name in sorted(state):
        tensor = state[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _describe(tensor: Tensor | None) -> str:
    if tensor is None:
        return "nothing"
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - LISTED_KEYS
    shown = [printable(line) for line in lines[:LISTED_KEYS]]
    return shown + ([f"and {more} more"] if more > 0 else [])
