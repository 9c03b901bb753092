"""The teacher's maps of views, kept on disk in half precision."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from sam2lite.training.distillation.cache import TensorCache
from sam2lite.training.encoder.levels import STRIDES

_NAMES = tuple(f"s{stride}" for stride in STRIDES)


class TeacherFeatures:
    """Looks up what a teacher makes of views, and runs it on those that are new."""

    def __init__(
        self,
        look: Callable[[Tensor], list[Tensor]],
        teacher_sha256: str,
        folder: Path | None,
        most_bytes: int,
    ) -> None:
        """Open the cache.

        Args:
            look: runs the teacher on views, uint8 `[B, 3, S, S]`.
            teacher_sha256: of its weights, and of how it is run.
            folder: of the cache; None to run the teacher every time.
            most_bytes: that may lie in the folder before no more is added.

        Raises:
            TrainingError: the folder cannot be made.
        """
        self._look, self._teacher = look, teacher_sha256
        self._cache = None if folder is None else TensorCache(folder)
        files = [] if folder is None else list(folder.glob("*.safetensors"))
        self._room = most_bytes - sum(file.stat().st_size for file in files)

    def of(self, view_bchw: Tensor) -> list[Tensor]:
        """Return the maps of views, `[B, 256, H, W]` each, finest first, on the CPU.

        What is kept and what is not are rounded alike.

        Raises:
            TrainingError: the cache cannot be written.
        """
        keys = [self._key(view) for view in view_bchw]
        found = [None if self._cache is None else self._cache.find(key) for key in keys]
        missing = [index for index, tensors in enumerate(found) if tensors is None]
        if missing:
            made = [each.half().float().cpu() for each in self._look(view_bchw[missing])]
            for row, index in enumerate(missing):
                maps = {name: each[row] for name, each in zip(_NAMES, made, strict=True)}
                found[index] = maps
                size = sum(2 * each.numel() for each in maps.values())
                if self._cache is not None and self._room >= size:
                    self._cache.store(keys[index], maps)
                    self._room -= size
        return [torch.stack([each[name] for each in found if each]) for name in _NAMES]

    def _key(self, view_chw: Tensor) -> str:
        """Return what the maps depend on, hashed: the pixels stand for picture, crop and size."""
        pixels = sha256(view_chw.contiguous().numpy().tobytes()).hexdigest()
        return sha256(
            json.dumps([self._teacher, list(view_chw.shape), pixels]).encode()
        ).hexdigest()
