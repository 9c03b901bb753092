"""Weights that `torch.save` wrote: tensors alone, and nothing of a stranger's code runs."""

from __future__ import annotations

import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sam2lite.errors import ModelError
from sam2lite.files.reading import MEBIBYTE, printable
from sam2lite.models.checkpoint import plain_names
from sam2lite.models.known_networks import PICKLED as PICKLED_OBJECTS

PICKLED = (".pt", ".pth", ".bin", ".ckpt")
_WRAPPERS = ("model", "state_dict")  # under which trainers keep the tensors
_MOST_PICKLE = 64 * MEBIBYTE
_MOST_SHARING = 2  # a tied tensor is saved once and counted twice
_REMEDY = "copy it again, or save its state dict alone"
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


def pickled_tensors(path: Path, say: bool = False) -> dict[str, Tensor]:
    """Return the tensors of a file by their own names; their data stays in the file, unread.

    Who reads the data asks `check_sums` as well.

    Args:
        path: of the file.
        say: whether to log what was taken off the names.

    Raises:
        ModelError: it is damaged, packed, or holds more than weights.
    """
    data = _loaded(path)
    if isinstance(data, dict) and {"state", "param_groups"} <= set(map(str, data)):
        raise ModelError(
            f"{printable(path)} is the state of an optimiser, not a network; give the weights that "
            "were saved with it"
        )
    for name in _WRAPPERS:
        if isinstance(data, dict) and isinstance(data.get(name), dict):
            data = data[name]
    items = data.items() if isinstance(data, dict) else ()
    tensors = {str(key): value for key, value in items if isinstance(value, Tensor)}
    _check_plain(path, tensors)
    names = plain_names(list(tensors), path, say)
    return {names[key]: tensor.detach() for key, tensor in tensors.items()}


def check_sums(path: Path) -> None:
    """Read all of an archive of PyTorch, and compare it with the checksums that are in it.

    PyTorch does not. Where it was told to write none (`set_crc32_options`), there is nothing to
    compare.

    Raises:
        ModelError: it is no such archive, or a record is not what was written.
    """
    shown = printable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for record in _records(archive, path):
                try:
                    with archive.open(record) as data:
                        while data.read(MEBIBYTE):
                            pass
                except zipfile.BadZipFile as error:
                    raise ModelError(
                        f"{shown} is damaged: {printable(record.filename)} is not what was "
                        f"written ({printable(str(error))}); copy it again"
                    ) from None
    except (zipfile.BadZipFile, *_UNREADABLE) as error:
        raise ModelError(f"{shown} is damaged ({error}); copy it again") from None


def _check_plain(path: Path, tensors: dict[str, Tensor]) -> None:
    """Refuse what is no array of numbers in the file, or is larger than the file can hold."""
    room = _MOST_SHARING * path.stat().st_size
    for name, tensor in tensors.items():
        plain = (
            type(tensor) in (Tensor, nn.Parameter)
            and tensor.device.type == "cpu"
            and tensor.layout == torch.strided
            and not tensor.is_quantized
        )
        room -= tensor.numel() * tensor.element_size() if plain else 0
        if not plain or room < 0:
            raise ModelError(
                f"{printable(path)} is damaged or holds more than weights: {printable(name)} is "
                f"{'larger than the file' if plain else 'no plain tensor'}; {_REMEDY}"
            )


def _loaded(path: Path) -> Any:
    words = _pickle(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever a damaged archive or pickle makes torch stumble over
        whose = next((title for name, title in PICKLED_OBJECTS.items() if name in words), None)
        raise ModelError(
            f"{printable(path)} is {whose or 'damaged or holds more than weights'} "
            f"({type(error).__name__}); {_REMEDY}"
        ) from None


def _pickle(path: Path) -> bytes:
    """Return the pickle in an archive of PyTorch.

    Raises:
        ModelError: it is no such archive.
    """
    shown = printable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [r for r in _records(archive, path) if r.filename.endswith("data.pkl")]
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


def _records(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """Return what is in an archive of PyTorch, which must lie in it as it is, and once.

    A packed record could unpack to any size, and records that overlap take forever to read.

    Raises:
        ModelError: it does not.
    """
    records = archive.infolist()
    room = path.stat().st_size
    if any(r.compress_type != zipfile.ZIP_STORED for r in records) or (
        sum(r.file_size for r in records) > room
    ):
        raise ModelError(f"{printable(path)} is packed, which PyTorch does not do; copy it again")
    for record in records:
        if record.CRC == 0:  # of nothing, or PyTorch was told not to compute it
            del record.CRC  # and then zipfile does not compare it
    return records
