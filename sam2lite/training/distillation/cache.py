"""Teacher outputs on disk, in half precision: a batch seen again needs no teacher."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from sam2lite.errors import TrainingError
from sam2lite.models.tensor_files import claimed_tensors
from sam2lite.training.distillation.teacher_output import TeacherOutput
from sam2lite.training.run.tensor_file import replace_tensors


class OutputCache:
    """A folder with one file for each key; files may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        """Open a folder, made if it is not there.

        Raises:
            TrainingError: it cannot be made.
        """
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(
                f"cannot make the cache {folder}: {error.strerror}; name another with --cache"
            ) from None

    def get(self, key: str, make: Callable[[], TeacherOutput]) -> TeacherOutput:
        """Return the output of a key, on the CPU; a missing or damaged one is made and stored.

        The first time gives the stored, rounded numbers too: a run does not depend on what was in
        the cache when it started.

        Raises:
            TrainingError: the output cannot be stored.
        """
        path = self._folder / f"{key}.safetensors"
        try:
            claimed_tensors(path, TrainingError, "")
            stored = TeacherOutput(**safetensors.torch.load_file(path))
        except (OSError, RuntimeError, TrainingError, safetensors.SafetensorError, TypeError):
            stored = make().map(_halved)
            self._store(path, stored)
        return stored.map(_restored)

    def _store(self, path: Path, output: TeacherOutput) -> None:
        try:
            replace_tensors(path, output.tensors())
        except (OSError, safetensors.SafetensorError) as error:
            raise TrainingError(
                f"cannot write {path}: {error}; make room, lower --cached-batches, or train "
                "without --cache"
            ) from None


def _halved(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()


def _restored(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
