"""The teacher: a network that only looks, on the same batches and with the same prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sam2lite.errors import ArgumentError
from sam2lite.models.checkpoint import state_sha256
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.training.bank import Gate
from sam2lite.training.batches import Batch
from sam2lite.training.distillation.cache import OutputCache
from sam2lite.training.distillation.matching import matching_loss
from sam2lite.training.distillation.other_family import OtherFamily, size_for
from sam2lite.training.distillation.reading import recorded
from sam2lite.training.distillation.teacher_output import TeacherOutput, collect
from sam2lite.training.losses import LossWeights
from sam2lite.training.rollout import Rollout, rollout
from sam2lite.training.validation import UNAIDED

# What of a batch a teacher's output depends on: not the motion, which is for pruning.
_SEEN = ("image_ctchw", "clip_n", "target_nthw", "xy_norm_npc", "label_np", "masked_n")


def load_teacher(
    name_or_path: str, student: Sam2LiteConfig, size: int | None = None
) -> tuple[LoadedModel, int | None]:
    """Load a teacher that fits a student.

    Args:
        name_or_path: a checkpoint of any family, or a published name.
        student: configuration of the student.
        size: of the input of a teacher of another family, px; see `size_for` without it.

    Returns:
        the teacher, and that size; None for one of the student's family, which looks at the very
        frames that the student does.

    Raises:
        UnknownNameError: it is neither.
        ModelError: no network can be loaded from it.
        ArgumentError: it is made for other input sizes than the student, or does not take `size`.
    """
    teacher = load_model(name_or_path)
    config = teacher.config
    if not isinstance(config, Sam2LiteConfig):
        if size is None:
            return teacher, size_for(teacher, student.base_size)
        teacher.check_size(size)
        return teacher, size
    if size is not None:
        raise ArgumentError(
            f"the teacher {name_or_path} is of the student's own family, and looks at frames of "
            f"the student's size; leave --teacher-size {size} out"
        )
    if config.base_size != student.base_size:
        raise ArgumentError(
            f"the teacher {name_or_path} has a base size of {config.base_size} px, the "
            f"student one of {student.base_size} px; choose two of one base size"
        )
    return teacher, None


class Teacher:
    """Runs a student and itself on a batch, and says how far apart they are."""

    def __init__(
        self,
        loaded: LoadedModel,
        weights: LossWeights,
        device: torch.device,
        cache: OutputCache | None = None,
        size: int | None = None,
    ) -> None:
        """Take over a network, which is left as it is.

        Args:
            loaded: of `load_teacher`.
            weights: of the losses; what has weight 0 is not computed.
            device: to run on.
            cache: of outputs; None to run the network on every batch.
            size: of `load_teacher`.
        """
        self._run: Callable[[Batch], TeacherOutput] = (
            _OwnFamily(loaded, weights, device)
            if size is None
            else OtherFamily(loaded, size, device)
        )
        self._size, self._sha256 = size, loaded.sha256
        self._weights, self._device, self._cache = weights, device, cache

    def teach(
        self, student: Sam2Lite, batch: Batch, gate: Gate | None
    ) -> tuple[Rollout, dict[str, Tensor]]:
        """Return a student's rollout, and the weighted losses between it and the teacher's.

        There is no correction and no true mask in memory, which would depend on the mistakes of
        each. The teacher never prunes: what the student forgets, the teacher still has. One of
        another family teaches masks alone: how it reads its memory is not comparable.
        """
        # The student goes first: it draws random numbers, and whether the teacher draws any
        # depends on the cache.
        with recorded(student.mask_decoder) as readings:
            output = rollout(student, batch, UNAIDED, gate)
        taught = self.output(batch)
        with torch.autocast(self._device.type, enabled=False):
            return output, matching_loss(output, readings, taught, self._weights)

    def output(self, batch: Batch) -> TeacherOutput:
        """Return what the teacher says about a batch, from the cache if it is there.

        Raises:
            TrainingError: the cache cannot be written.
        """
        if self._cache is None:
            return self._run(batch)
        output = self._cache.get(self._key(batch), lambda: self._run(batch))
        return output.map(lambda tensor: tensor.to(self._device))

    def _key(self, batch: Batch) -> str:
        """Return what an output depends on, hashed.

        The batch's own bytes stand for the seed, shape and index that it was made from, so that a
        change of the generator makes no cache wrong.
        """
        seen = {name: getattr(batch, name) for name in _SEEN}
        terms = [bool(self._weights.attention), bool(self._weights.readout)]
        parts: list[Any] = [self._sha256, state_sha256(seen), terms]
        if self._size is not None:
            parts.append(self._size)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _OwnFamily:
    """Runs a network of the student's family just as the student is run."""

    def __init__(self, loaded: LoadedModel, weights: LossWeights, device: torch.device) -> None:
        fused = loaded.model.fused()
        self._model: Sam2Lite = fused.to(device, memory_format=torch.channels_last)
        self._weights, self._device = weights, device

    @torch.no_grad()
    def __call__(self, batch: Batch) -> TeacherOutput:
        with recorded(self._model.mask_decoder) as readings:
            output = rollout(self._model, batch, UNAIDED)
        with torch.autocast(self._device.type, enabled=False):
            return collect(output, readings, self._weights)
