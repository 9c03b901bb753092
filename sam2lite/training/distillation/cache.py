"""Teacher outputs on disk, in half precision: a batch seen again needs no teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from sam2lite.errors import TrainingError
from sam2lite.models.tensor_files import claimed_tensors
from sam2lite.training.distillation.teacher_output import TeacherOutput
from sam2lite.training.run.tensor_file import replace_tensors


class TensorCache:
    """A folder with one file of tensors for each key; files may be deleted at any time."""

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

    def find(self, key: str) -> dict[str, Tensor] | None:
        """Return the tensors of a key, on the CPU; None where they are missing or damaged."""
        path = self._folder / f"{key}.safetensors"
        try:
            claimed_tensors(path, TrainingError, "")
            stored = safetensors.torch.load_file(path)
        except (OSError, RuntimeError, TrainingError, safetensors.SafetensorError):
            return None
        return {name: _restored(tensor) for name, tensor in stored.items()}

    def store(self, key: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Store tensors, and return them rounded as `find` will.

        A run does not depend on what was in the cache when it started.

        Raises:
            TrainingError: they cannot be stored.
        """
        path = self._folder / f"{key}.safetensors"
        halved = {name: _halved(tensor) for name, tensor in tensors.items()}
        try:
            replace_tensors(path, halved)
        except (OSError, safetensors.SafetensorError) as error:
            raise TrainingError(
                f"cannot write {path}: {error}; make room, keep less in the cache, or train "
                "without it"
            ) from None
        return {name: _restored(tensor) for name, tensor in halved.items()}


class OutputCache(TensorCache):
    """Outputs of a teacher that looks at clips."""

    def get(self, key: str, make: Callable[[], TeacherOutput]) -> TeacherOutput:
        """Return the output of a key, on the CPU; a missing or damaged one is made and stored.

        Raises:
            TrainingError: the output cannot be stored.
        """
        try:
            found = self.find(key)
            if found is not None:
                return TeacherOutput(**found)
        except TypeError:  # tensors of other names
            pass
        return TeacherOutput(**self.store(key, make().tensors()))


def _halved(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()


def _restored(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
