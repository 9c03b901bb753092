"""The teacher: a network that only looks, on the same batches and with the same prompts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor

from sam2lite.errors import ArgumentError, ModelError
from sam2lite.models.checkpoint import CONFIG_FILE, WEIGHTS_FILE, read_object, state_sha256
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.registry import load_model
from sam2lite.models.sam2lite.config import Sam2LiteConfig
from sam2lite.models.sam2lite.network import Sam2Lite
from sam2lite.training.bank import Gate
from sam2lite.training.batches import Batch
from sam2lite.training.distillation.cache import OutputCache
from sam2lite.training.distillation.matching import matching_loss
from sam2lite.training.distillation.reading import recorded
from sam2lite.training.distillation.teacher_output import TeacherOutput, collect
from sam2lite.training.losses import LossWeights
from sam2lite.training.rollout import Rollout, rollout
from sam2lite.training.validation import UNAIDED

# What of a batch a teacher's output depends on: not the motion, which is for pruning.
_SEEN = ("image_ctchw", "clip_n", "target_nthw", "xy_norm_npc", "label_np", "masked_n")
_NO_SAM2 = "SAM 2.1 checkpoints cannot be loaded as teachers yet"


def load_teacher(name_or_path: str, student: Sam2LiteConfig) -> LoadedModel:
    """Load a teacher that fits a student.

    Args:
        name_or_path: the folder of a SAM2-Lite checkpoint, or a published size.
        student: configuration of the student.

    Raises:
        UnknownNameError: it is neither.
        ModelError: no SAM2-Lite network can be loaded from it.
        ArgumentError: it is made for other input sizes than the student.
    """
    path = Path(name_or_path)
    if path.is_file():
        raise ModelError(
            f"the teacher {path} is a file; give the folder of a SAM2-Lite checkpoint, with "
            f"{CONFIG_FILE} and {WEIGHTS_FILE}. {_NO_SAM2}"
        )
    if _is_sam2(path / CONFIG_FILE):
        raise ModelError(f"the teacher {path} is a SAM 2 checkpoint. {_NO_SAM2}")
    teacher = load_model(name_or_path)
    config = teacher.config
    if not isinstance(config, Sam2LiteConfig):
        raise ModelError(
            f"the teacher {name_or_path} is of the family {teacher.family.title}; a student learns "
            "from one of its own"
        )
    if config.base_size != student.base_size:
        raise ArgumentError(
            f"the teacher {name_or_path} has a base size of {config.base_size} px, the "
            f"student one of {student.base_size} px; choose two of one base size"
        )
    return teacher


def _is_sam2(config_file: Path) -> bool:
    try:
        model_type = read_object(config_file).get("model_type")
    except ModelError:
        return False  # whatever it is, loading it says what is wrong
    return str(model_type).startswith("sam2") and model_type != "sam2lite"


class Teacher:
    """Runs a student and itself on a batch, and says how far apart they are."""

    def __init__(
        self,
        loaded: LoadedModel,
        weights: LossWeights,
        device: torch.device,
        cache: OutputCache | None = None,
    ) -> None:
        """Take over a network, which is left as it is.

        Args:
            loaded: of `load_teacher`.
            weights: of the losses; what has weight 0 is not computed.
            device: to run on.
            cache: of outputs; None to run the network on every batch.
        """
        fused = loaded.model.fused()
        self._model: Sam2Lite = fused.to(device, memory_format=torch.channels_last)
        self._sha256 = loaded.sha256
        self._weights, self._device, self._cache = weights, device, cache

    def teach(
        self, student: Sam2Lite, batch: Batch, gate: Gate | None
    ) -> tuple[Rollout, dict[str, Tensor]]:
        """Return a student's rollout, and the weighted losses between it and the teacher's.

        There is no correction and no true mask in memory, which would depend on the mistakes of
        each. The teacher never prunes: what the student forgets, the teacher still has.
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
        parts = [self._sha256, state_sha256(seen), terms]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @torch.no_grad()
    def _run(self, batch: Batch) -> TeacherOutput:
        with recorded(self._model.mask_decoder) as readings:
            output = rollout(self._model, batch, UNAIDED)
        with torch.autocast(self._device.type, enabled=False):
            return collect(output, readings, self._weights)
