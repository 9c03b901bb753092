"""What a run of training is asked for, and checks of that before it starts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.config import size_config
from sam2lite.models.sam2lite.family import HOST
from sam2lite.training.distillation.teacher import load_teacher
from sam2lite.training.losses import loss_weights
from sam2lite.training.run.fine_tuning import CURRICULUM, SCHEDULES
from sam2lite.training.run.schedule import Schedule, schedule_of
from sam2lite.training.sources import check_data
from sam2lite.weights import SHIPPED


@dataclass(frozen=True)
class RunOptions:
    """What decides a run; stored with it.

    Attributes:
        model: a published size.
        start: a size, or folder of a checkpoint, to start from; random weights if None.
        stages: of the recipe, in order.
        minutes: of training in all, unless `steps` is given.
        steps: of training in all; makes a run repeatable bit for bit.
        learning_rate: its peak.
        losses: name of the preset.
        seed: of weights, clips and everything drawn.
        device: `cpu` or `cuda`.
        bf16: autocast to bfloat16.
        schedule: name of the schedule: `curriculum`, or `fine-tuning` from a trained start.
        data: path of a data set or a folder of stills to train on; None for generated clips.
        teacher: a size, or a checkpoint of any family to learn from; None to train without.
        teacher_size: of the input of a teacher of another family, px.
        cache: folder for the teacher's outputs; None to run the teacher on every batch.
        cached_batches: with a cache, how many steps' batches are made and gone through in turn.
        accumulate: batches of a process whose gradients one step averages.
        lora: rank of low-rank updates, which are all that is trained; None to train everything.
        lora_alpha: of the updates; twice the rank if None.
        lora_targets: layers that have updates, see `low_rank.update.attach`.
    """

    model: str = "tiny"
    start: str | None = None
    stages: tuple[int, ...] = (1, 2, 3)
    minutes: float = 60.0
    steps: int | None = None
    learning_rate: float = 1e-3
    losses: str = "sam2lite"
    seed: int = 0
    device: str = "cpu"
    bf16: bool = True
    schedule: str = "curriculum"
    data: str | None = None
    teacher: str | None = None
    teacher_size: int | None = None
    cache: str | None = None
    cached_batches: int = 256
    accumulate: int = 1
    lora: int | None = None
    lora_alpha: float | None = None
    lora_targets: str = "qkv"

    @property
    def alpha(self) -> float:
        """Of the updates."""
        return 2.0 * (self.lora or 0) if self.lora_alpha is None else self.lora_alpha

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunOptions:
        """Undo `to_json`."""
        return cls(**{**values, "stages": tuple(values["stages"])})


def check_options(options: RunOptions) -> None:
    """Check everything about a run that can be checked before it starts.

    Raises:
        ArgumentError: a value is out of its range, a name is unknown, or the teacher does not fit.
        ModelError: the teacher cannot be loaded.
        VideoError: the data set cannot be read.
    """
    schedule_for(options)
    loss_weights(options.losses)
    if options.start is None:
        size_config(options.model)
    positive = {"--minutes": options.minutes, "--learning-rate": options.learning_rate}
    if options.steps is not None:
        positive["--steps"] = options.steps
    if options.lora_alpha is not None:
        positive["--alpha"] = options.lora_alpha
    for name, value in positive.items():
        if not value > 0:  # false for NaN as well
            raise ArgumentError(f"{name} is {value}; it must be above 0")
    if options.seed < 0:
        raise ArgumentError(f"--seed is {options.seed}; choose 0 or more")
    least_1 = {"--cached-batches": options.cached_batches, "--accumulate": options.accumulate}
    if options.lora is not None:
        least_1["--lora"] = options.lora
    for name, count in least_1.items():
        if count < 1:
            raise ArgumentError(f"{name} is {count}; choose 1 or more")
    if options.lora is not None and options.start is None:
        raise ArgumentError("--lora updates trained weights; name them with --from")
    if options.data is not None:
        check_data(options.data)
    if options.teacher is not None:
        load_teacher(options.teacher, first_model(options).model.config, options.teacher_size)


def schedule_for(options: RunOptions) -> Schedule:
    """Return the schedule that a run asks for.

    Raises:
        ArgumentError: a stage is unknown.
        UnknownNameError: the schedule is.
    """
    if options.schedule not in SCHEDULES:
        raise UnknownNameError("schedule", options.schedule, SCHEDULES)
    if options.schedule == CURRICULUM:
        return schedule_of(options.stages)
    return schedule_of(options.stages, SCHEDULES[options.schedule])


def first_model(options: RunOptions) -> LoadedModel:
    """Return the network that a run starts from.

    Raises:
        ModelError: the checkpoint cannot be loaded.
    """
    if options.start is None:
        return HOST.build(options.model, options.seed)
    return HOST.load(SHIPPED.get(options.start, options.start))
