"""What lies at a path, before anybody knows which family it is of."""

from __future__ import annotations

import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sam2lite.contracts.manifest import MANIFEST_FILE
from sam2lite.errors import ModelError
from sam2lite.files.reading import MEBIBYTE, printable
from sam2lite.models.checkpoint import (
    CONFIG_FILE,
    COPY_AGAIN,
    LAYOUT,
    WEIGHTS_FILE,
    plain_names,
    read_object,
)
from sam2lite.models.known_networks import OTHER_FILES
from sam2lite.models.known_networks import PICKLED as PICKLED_OBJECTS
from sam2lite.models.tensor_files import claimed_tensors

PICKLED = (".pt", ".pth", ".bin", ".ckpt")
_WRAPPERS = ("model", "state_dict")  # under which trainers keep the tensors
_MOST_PICKLE = 64 * MEBIBYTE
_UNREADABLE = (
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)
_SHOWN = 3  # names of tensors, in an error message


class Found(NamedTuple):
    """The names of a checkpoint's tensors, and its configuration, where it has them."""

    path: Path
    keys: tuple[str, ...]
    config: Mapping[str, Any] | None

    @property
    def words(self) -> str:
        """What was found, for people."""
        shown = printable(", ".join(key[:60] for key in sorted(self.keys)[:_SHOWN]))
        count = f"{len(self.keys)} tensor{'s' if len(self.keys) > 1 else ''}"
        tensors = f"{count} ({shown}, ...)" if self.keys else "no weights"
        if self.config is None:
            return f"{tensors}, no {CONFIG_FILE}"
        return f"{tensors}, {CONFIG_FILE} with model_type {self.config.get('model_type')!r}"


def look_at(path: Path) -> Found:
    """Look at a folder of a checkpoint, or at a file of weights; no tensor is read.

    Raises:
        ModelError: it is neither, or damaged.
        DependencyError: PyTorch is not installed.
    """
    shown = printable(path)
    if path.suffix == ".safetensors" and path.is_file():
        return Found(path, _keys(path), None)
    if path.suffix in PICKLED and path.is_file():
        return Found(path, _pickled_keys(path), None)
    if path.is_file():
        other = OTHER_FILES.get(path.suffix.lower())
        raise ModelError(f"{shown} is {other or 'no file of weights'}; {LAYOUT}")
    if not (path / CONFIG_FILE).exists() and (path / MANIFEST_FILE).exists():
        raise ModelError(f"{shown} is a bundle, which is made from a checkpoint; {LAYOUT}")
    config = read_object(path / CONFIG_FILE)
    weights = path / WEIGHTS_FILE
    return Found(path, _keys(weights) if weights.is_file() else (), config)


def _keys(path: Path) -> tuple[str, ...]:
    names, _ = claimed_tensors(path, ModelError, COPY_AGAIN)
    return tuple(plain_names(names, path, say=False).values())


def _pickled_keys(path: Path) -> tuple[str, ...]:
    """Read the names alone: tensors stay on the disk, and nothing of a stranger's code runs."""
    shown = printable(path)
    words = _pickle(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever a damaged archive or pickle makes torch stumble over
        whose = next((title for name, title in PICKLED_OBJECTS.items() if name in words), None)
        raise ModelError(
            f"{shown} is {whose or 'damaged or holds more than weights'} "
            f"({type(error).__name__}); copy it again, or save its state dict alone"
        ) from None
    if isinstance(data, dict) and {"state", "param_groups"} <= set(map(str, data)):
        raise ModelError(
            f"{shown} is the state of an optimiser, not a network; give the weights that were "
            "saved with it"
        )
    for name in _WRAPPERS:
        if isinstance(data, dict) and isinstance(data.get(name), dict):
            data = data[name]
    items = data.items() if isinstance(data, dict) else ()
    names = [str(key) for key, value in items if isinstance(value, Tensor)]
    return tuple(plain_names(names, path, say=False).values())


def _pickle(path: Path) -> bytes:
    """Return the pickle in an archive of PyTorch, whose records must lie in it as they are.

    A packed record could unpack to any size.

    Raises:
        ModelError: it is no such archive.
    """
    shown = printable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            size = path.stat().st_size
            if any(r.compress_type != zipfile.ZIP_STORED or r.file_size > size for r in records):
                raise ModelError(f"{shown} is packed, which PyTorch does not do; copy it again")
            pickles = [r for r in records if r.filename.endswith("data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > _MOST_PICKLE:
                raise ModelError(f"{shown} is damaged or holds more than weights; copy it again")
            return archive.read(pickles[0])
    except zipfile.BadZipFile:
        raise ModelError(
            f"{shown} is damaged or holds more than weights, or is of a PyTorch before 1.6; copy "
            "it again, or load and save it with a newer one"
        ) from None
    except _UNREADABLE as error:
        raise ModelError(f"{shown} is damaged ({error}); copy it again") from None
