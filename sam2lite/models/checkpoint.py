"""Checkpoints: a folder with `config.json` and `model.safetensors`, written whole or not at all.

A network that was trained with INT8 simulated has `ranges.json` as well: a schema version, and the
least and greatest input of every quantized module by its path in the network.
`sam2lite.training.quantization` says what a range means.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch import Tensor

from sam2lite.contracts.families.sam2lite import FAMILY
from sam2lite.contracts.family import Family
from sam2lite.errors import DependencyError, ModelError, OutputError, UnknownNameError
from sam2lite.models.sam2lite.config import SIZES, Sam2LiteConfig
from sam2lite.models.sam2lite.network import Sam2Lite, build
from sam2lite.staging import staged_folder
from sam2lite.weights import SHIPPED

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
RANGES_FILE = "ranges.json"
RANGES_SCHEMA_VERSION = 1
LARGEST = float(np.finfo(np.float32).max)  # of a range
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
        activation_ranges: least and greatest input by module path; None if it has none.
        family: that it is of.
    """

    model: Sam2Lite
    config: Sam2LiteConfig
    licence: str
    trained: bool
    sha256: str
    activation_ranges: dict[str, tuple[float, float]] | None = None
    family: Family = FAMILY


def save_checkpoint(
    model: Sam2Lite,
    folder: str | Path,
    *,
    licence: str = "Apache-2.0",
    trained: bool = False,
    force: bool = False,
    half: bool = False,
    activation_ranges: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Write a network as a checkpoint.

    All its files appear together or not at all.

    Args:
        model: the network, not fused.
        folder: what to create; its parents are created too.
        licence: SPDX identifier of the weights' licence.
        trained: False for random weights.
        force: replace a checkpoint that is there already; nothing else is ever replaced.
        half: store matrices and kernels as FP16, which halves the file; the rest stays FP32.
        activation_ranges: least and greatest input by module path; no file is written for none.

    Raises:
        OutputError: `folder` exists, or cannot be written.
        DependencyError: safetensors is not installed.
    """
    safetensors = _safetensors("writing a checkpoint")
    folder = Path(folder).resolve()
    _check_replaceable(folder, force)
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        # Buffers stay: a running variance may not fit, and Fourier frequencies would be others.
        wide = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
        state = {name: t.half() if name in wide else t for name, t in state.items()}
    config = {**model.config.to_json(), "licence": licence, "trained": trained}
    with staged_folder(folder, force) as staging:
        (staging / WEIGHTS_FILE).write_bytes(safetensors.torch.save(state))
        (staging / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        if activation_ranges:
            ranges = {"schema_version": RANGES_SCHEMA_VERSION, **activation_ranges}
            (staging / RANGES_FILE).write_text(json.dumps(ranges, indent=1), encoding="utf-8")


def load_checkpoint(folder: str | Path) -> LoadedModel:
    """Read a checkpoint; tensors stored in another floating-point type become FP32.

    Raises:
        ModelError: a file is missing or damaged, the configuration is not one of a SAM2-Lite
            network, or the weights do not fit it; the message lists them by name and shape. Or the
            ranges are none, or of other modules.
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
    ranges = _read_ranges(folder / RANGES_FILE, model)
    return LoadedModel(model, config, licence, trained, hashlib.sha256(data).hexdigest(), ranges)


def resolve_model(name_or_path: str | Path, seed: int | None = None) -> LoadedModel:
    """Return what a user calls a model: a published size, or the folder of a checkpoint.

    A size name (`tiny`) gives the weights that come with the package, or an untrained network where
    there are none; a folder of that name is `./tiny`.

    Args:
        name_or_path: a size name or a folder.
        seed: ask for random weights, of this seed, even where there are trained ones.

    Raises:
        UnknownNameError: it is neither.
        ModelError: it is a path, and no checkpoint can be loaded from it.
    """
    name = str(name_or_path)
    if name in SHIPPED and seed is None:
        return load_checkpoint(SHIPPED[name])
    if name in SIZES:
        model = build(SIZES[name], seed or 0)
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
    known = {CONFIG_FILE, WEIGHTS_FILE, RANGES_FILE}
    if not folder.is_dir() or {path.name for path in folder.iterdir()} - known:
        raise OutputError(f"{folder} holds more than a checkpoint; --force does not replace it")


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; {_LAYOUT}") from None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(_read_file(path))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds a {type(values).__name__}; it must hold a JSON object")
    return values


def _read_ranges(path: Path, model: Sam2Lite) -> dict[str, tuple[float, float]] | None:
    if not path.exists():
        return None
    values = _read_object(path)
    version = values.pop("schema_version", None)
    if version != RANGES_SCHEMA_VERSION:
        raise ModelError(
            f"{path} has schema version {version!r}, this release reads {RANGES_SCHEMA_VERSION}; "
            "train again, or delete the file to do without ranges"
        )
    modules = dict(model.named_modules())
    for name, value in values.items():
        if name not in modules:
            raise ModelError(f"{path} names {name!r}, which is no module of the {CONFIG_FILE}")
        if not _is_range(value):
            raise ModelError(
                f"{path} has {value!r} for {name}; it must be [min, max], finite and in order"
            )
    return {name: (float(least), float(greatest)) for name, (least, greatest) in values.items()}


def _is_range(values: object) -> bool:
    return (
        isinstance(values, list)
        and len(values) == 2
        and all(type(value) in (int, float) and abs(value) <= LARGEST for value in values)
        and values[0] <= values[1]
    )


def _read_config(path: Path) -> tuple[Sam2LiteConfig, str, bool]:
    values = _read_object(path)
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
