"""Checkpoints: a folder with `config.json` and `model.safetensors`, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from torch import Tensor

from sam2lite.errors import DependencyError, ModelError, OutputError, UnknownNameError
from sam2lite.models.sam2lite.config import SIZES, Sam2LiteConfig
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.staging import staged_folder

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
LISTED_KEYS = 10  # of those that do not fit, in an error message
_LAYOUT = f"a checkpoint is a folder with {CONFIG_FILE} and {WEIGHTS_FILE}"


@dataclass(frozen=True)
class LoadedModel:
    """A network and where it comes from.

    Attributes:
        model: in evaluation mode, FP32, on the CPU.
        config: what it was built from.
        licence: SPDX identifier of the weights' licence.
        trained: False for random weights.
        sha256: of the safetensors file, or of the state dict where there is no file.
    """

    model: Sam2Lite
    config: Sam2LiteConfig
    licence: str
    trained: bool
    sha256: str


def save_checkpoint(
    model: Sam2Lite,
    folder: str | Path,
    *,
    licence: str = "Apache-2.0",
    trained: bool = False,
    force: bool = False,
) -> None:
    """Write a network as a checkpoint.

    Both files appear together or not at all.

    Args:
        model: the network, not fused.
        folder: what to create; its parents are created too.
        licence: SPDX identifier of the weights' licence.
        trained: False for random weights.
        force: replace a checkpoint that is there already; nothing else is ever replaced.

    Raises:
        OutputError: `folder` exists, or cannot be written.
        DependencyError: safetensors is not installed.
    """
    safetensors = _safetensors("writing a checkpoint")
    folder = Path(folder).resolve()
    _check_replaceable(folder, force)
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    config = {**model.config.to_json(), "licence": licence, "trained": trained}
    with staged_folder(folder, force) as staging:
        (staging / WEIGHTS_FILE).write_bytes(safetensors.torch.save(state))
        (staging / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_checkpoint(folder: str | Path) -> LoadedModel:
    """Read a checkpoint; tensors stored in another floating-point type become FP32.

    Raises:
        ModelError: a file is missing or damaged, the configuration is not one of a SAM2-Lite
            network, or the weights do not fit it; the message lists them by name and shape.
        DependencyError: safetensors is not installed.
    """
    folder = Path(folder)
    config, licence, trained = _read_config(folder / CONFIG_FILE)
    data = _read_file(folder / WEIGHTS_FILE)
    safetensors = _safetensors("reading a checkpoint")
    try:
        state: dict[str, Tensor] = safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise ModelError(
            f"{folder / WEIGHTS_FILE} is damaged or no safetensors file ({error}); copy it again"
        ) from None
    try:
        model = build(config)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"{folder / CONFIG_FILE} describes a network that cannot be built: {error!r}"
        ) from error
    _check_fit(folder, model.state_dict(), state)
    model.load_state_dict(state)
    return LoadedModel(model, config, licence, trained, hashlib.sha256(data).hexdigest())


def resolve_model(name_or_path: str | Path, seed: int = 0) -> LoadedModel:
    """Return what a user calls a model: a published size, or the folder of a checkpoint.

    A size name (`tiny`) gives an untrained network; a folder of that name is `./tiny`.

    Args:
        name_or_path: a size name or a folder.
        seed: of the random weights of an untrained network.

    Raises:
        UnknownNameError: it is neither.
        ModelError: it is a path, and no checkpoint can be loaded from it.
    """
    name = str(name_or_path)
    if name in SIZES:
        model = build(SIZES[name], seed)
        digest = state_sha256(model.state_dict())
        return LoadedModel(model, model.config, "Apache-2.0", False, digest)
    path = Path(name_or_path)
    if path.exists() or len(path.parts) > 1:
        return load_checkpoint(path)
    raise UnknownNameError("model", name, [*SIZES, "the folder of a checkpoint"])


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Hash a state dict: sorted by name, a line of name, type and shape, then the bytes."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _safetensors(purpose: str) -> ModuleType:
    try:
        import safetensors.torch
    except ImportError:
        raise DependencyError("safetensors", "export", purpose) from None
    return safetensors


def _check_replaceable(folder: Path, force: bool) -> None:
    """Refuse what exists, and even with `force` what is not a checkpoint and nothing else."""
    if not folder.exists():
        return
    if not force:
        raise OutputError(f"{folder} exists; choose another folder, or replace it with --force")
    if not folder.is_dir() or {p.name for p in folder.iterdir()} - {CONFIG_FILE, WEIGHTS_FILE}:
        raise OutputError(f"{folder} holds more than a checkpoint; --force does not replace it")


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; {_LAYOUT}") from None


def _read_config(path: Path) -> tuple[Sam2LiteConfig, str, bool]:
    try:
        values = json.loads(_read_file(path))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds a {type(values).__name__}; it must hold a JSON object")
    licence, trained = values.pop("licence", None), values.pop("trained", None)
    config = Sam2LiteConfig.from_json(values)
    if not isinstance(licence, str) or not isinstance(trained, bool):
        raise ModelError(
            f"{path} has licence {licence!r} and trained {trained!r}; "
            "they must be a string and true or false"
        )
    return config, licence, trained


def _check_fit(folder: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """List the tensors that are missing, left over, or of another shape or kind of type."""
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


def _describe(tensor: Tensor | None) -> str:
    if tensor is None:
        return "nothing"
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
