"""The files that hold a checkpoint's weights: one, or several with an index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sam2lite.errors import ModelError
from sam2lite.files.json_reading import read_json
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import COPY_AGAIN, WEIGHTS_FILE, plain_names, read_weights
from sam2lite.models.pickled import PICKLED, check_sums, pickled_tensors
from sam2lite.models.tensor_files import claimed_tensors

SAFETENSORS = ".safetensors"
INDEX_FILE = f"{WEIGHTS_FILE}.index.json"
_MOST_SHARDS = 1000


def is_weight_file(path: Path) -> bool:
    """Return whether a file of this name would hold weights."""
    return path.suffix in (SAFETENSORS, *PICKLED)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of weights in a checkpoint's folder; none where there are none.

    `model.safetensors` goes before an index of shards, and that before any other file, which must
    then be the only one.

    Raises:
        ModelError: the index is damaged or names what is not there, or there are several files of
            which any could be meant.
    """
    whole, index = folder / WEIGHTS_FILE, folder / INDEX_FILE
    if whole.exists() or whole.is_symlink():
        return (whole,)
    if index.exists():
        return _shards(index)
    others = sorted(filter(is_weight_file, folder.iterdir())) if folder.is_dir() else []
    if len(others) > 1:
        names = ", ".join(path.name for path in others)
        raise ModelError(
            f"{printable(folder)} has {len(others)} files of weights ({printable(names)}); give "
            "the one that is meant"
        )
    return tuple(others)


def claimed_by(files: tuple[Path, ...]) -> dict[str, Tensor]:
    """Return what tensors files say they have, by plain names, on the meta device.

    Raises:
        ModelError: a file is damaged, or a tensor is in two of them.
    """
    return _joined(files, {path: _claims(path) for path in files})


def read_all(files: tuple[Path, ...]) -> dict[str, Tensor]:
    """Return the tensors of files, by plain names, as they are stored; nothing shares memory.

    Raises:
        ModelError: as of `claimed_by`.
        DependencyError: safetensors is not installed.
    """
    return _joined(files, {path: _tensors(path) for path in files})


def _claims(path: Path) -> dict[str, Tensor]:
    if path.suffix == SAFETENSORS:
        stored, _ = claimed_tensors(path, ModelError, COPY_AGAIN)
        names = plain_names(stored, path, say=False)
        return {names[name]: tensor for name, tensor in stored.items()}
    return {
        name: torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
        for name, tensor in pickled_tensors(path).items()
    }


def _tensors(path: Path) -> dict[str, Tensor]:
    if path.suffix == SAFETENSORS:
        return read_weights(path)[0]
    stored = pickled_tensors(path, say=True)
    check_sums(path)
    return {name: tensor.clone() for name, tensor in stored.items()}


def _joined(files: tuple[Path, ...], parts: Mapping[Path, dict[str, Tensor]]) -> dict[str, Tensor]:
    joined: dict[str, Tensor] = {}
    for path in files:
        twice = sorted(joined.keys() & parts[path].keys())
        if twice:
            raise ModelError(
                f"{printable(path)} has {printable(twice[0])}, which another file beside it has, "
                f"too; {COPY_AGAIN}"
            )
        joined.update(parts[path])
    return joined


def _shards(index: Path) -> tuple[Path, ...]:
    shown, folder = printable(index), index.parent
    values = read_json(str(index), ModelError, COPY_AGAIN)
    places = values.get("weight_map") if isinstance(values, dict) else None
    if not isinstance(places, dict) or not places:
        raise ModelError(f"{shown} has no weight_map, so it is no index of weights; {COPY_AGAIN}")
    names = {place if isinstance(place, str) else "" for place in places.values()}
    if len(names) > _MOST_SHARDS:
        raise ModelError(
            f"{shown} names {len(names)} files, and more than {_MOST_SHARDS} are not read; "
            f"{COPY_AGAIN}"
        )
    for name in names:
        # A file beside the index, whatever the index says.
        if not name.endswith(SAFETENSORS) or Path(name).name != name or "\\" in name:
            raise ModelError(f"{shown} names {name!r}, which is no file beside it; {COPY_AGAIN}")
    files = tuple(folder / name for name in sorted(names))
    for path in files:
        stored, _ = claimed_tensors(path, ModelError, f"{shown} names it; {COPY_AGAIN}")
        expected = {key for key, place in places.items() if place == path.name}
        if stored.keys() != expected:
            key = min(stored.keys() ^ expected)
            raise ModelError(
                f"{shown} and {printable(path.name)} do not agree about {printable(key)}; "
                f"{COPY_AGAIN}"
            )
    return files
