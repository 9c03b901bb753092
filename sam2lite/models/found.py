"""What lies at a path, before anybody knows which family it is of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from sam2lite.contracts.manifest import MANIFEST_FILE
from sam2lite.errors import ModelError
from sam2lite.files.reading import printable
from sam2lite.models.checkpoint import CONFIG_FILE, LAYOUT, read_object
from sam2lite.models.known_networks import OTHER_FILES
from sam2lite.models.weight_files import claimed_by, is_weight_file, read_all, weight_files

_SHOWN = 3  # names of tensors, in an error message


class Found(NamedTuple):
    """A checkpoint that was looked at.

    Attributes:
        path: of the folder or file.
        files: that hold its weights; none where it has none.
        claims: its tensors by their own names, on the meta device: shapes and types, no data.
        config: its `config.json`; None where it has none.
    """

    path: Path
    files: tuple[Path, ...]
    claims: Mapping[str, Tensor]
    config: Mapping[str, Any] | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its tensors."""
        return tuple(self.claims)

    @property
    def words(self) -> str:
        """What was found, for people."""
        shown = printable(", ".join(key[:60] for key in sorted(self.keys)[:_SHOWN]))
        count = f"{len(self.keys)} tensor{'s' if len(self.keys) > 1 else ''}"
        tensors = f"{count} ({shown}, ...)" if self.keys else "no weights"
        if self.config is None:
            return f"{tensors}, no {CONFIG_FILE}"
        return f"{tensors}, {CONFIG_FILE} with model_type {self.config.get('model_type')!r}"

    def read(self) -> dict[str, Tensor]:
        """Return its tensors with their data, as they are stored; nothing shares memory.

        What was taken off their names is said.

        Raises:
            ModelError: a file is damaged.
            DependencyError: safetensors is not installed.
        """
        return read_all(self.files)


def look_at(path: Path) -> Found:
    """Look at a folder of a checkpoint, or at a file of weights; no tensor is read.

    Raises:
        ModelError: it is neither, or damaged.
        DependencyError: PyTorch is not installed.
    """
    shown = printable(path)
    if path.is_file():
        if is_weight_file(path):
            return Found(path, (path,), claimed_by((path,)), None)
        other = OTHER_FILES.get(path.suffix.lower())
        raise ModelError(f"{shown} is {other or 'no file of weights'}; {LAYOUT}")
    if is_weight_file(path) and not path.exists():
        raise ModelError(f"there is no file {shown}; {LAYOUT}, or a file of weights")
    described = (path / CONFIG_FILE).exists()
    if not described and (path / MANIFEST_FILE).exists():
        raise ModelError(f"{shown} is a bundle, which is made from a checkpoint; {LAYOUT}")
    files = weight_files(path)
    config = read_object(path / CONFIG_FILE) if described or not files else None
    return Found(path, files, claimed_by(files), config)
