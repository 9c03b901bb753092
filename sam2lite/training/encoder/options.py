"""What decides a run that trains an image encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sam2lite.contracts.arguments import whole_number
from sam2lite.errors import ArgumentError, TrainingError, UnknownNameError
from sam2lite.training.encoder.int8_stage import LEAST_STEPS
from sam2lite.training.encoder.levels import LOSSES, level_weights

_ANEW = "leave it out to go on with the run as it is, or start anew with --force"


@dataclass(frozen=True)
class EncoderOptions:
    """Options of a run; stored with it.

    Attributes:
        teacher: a checkpoint with SAM 2's heads.
        backbone: name of the image encoder to train.
        images: folder of pictures.
        size: side of the input, px; the usual one of the image encoder if None.
        minutes: to train for, unless `steps` is given.
        steps: to train for; makes a run repeatable bit for bit.
        batch: views a step.
        crops: of each picture, beside the whole of it.
        loss: `huber`, `l1` or `mse`.
        weights: of the levels; see `level_weights`.
        learning_rate: its peak.
        seed: of weights, crops and order.
        device: `cpu` or `cuda`.
        bf16: autocast to bfloat16.
        int8: the end of the run computes as in INT8, and the checkpoint has ranges for it.
        cache_gb: of the teacher's maps that are kept on disk; 0 to keep none.
    """

    teacher: str
    backbone: str
    images: str
    size: int | None = None
    minutes: float = 60.0
    steps: int | None = None
    batch: int = 8
    crops: int = 3
    loss: str = "huber"
    weights: str = "coarse-first"
    learning_rate: float = 1e-3
    seed: int = 0
    device: str = "cpu"
    bf16: bool = False
    int8: bool = False
    cache_gb: float = 20.0

    def check(self) -> None:
        """Check all that needs no file.

        Raises:
            ArgumentError: a value is out of its range, or a name is unknown.
        """
        if self.loss not in LOSSES:
            raise UnknownNameError("loss", self.loss, list(LOSSES))
        level_weights(self.weights)
        positive = {"--minutes": self.minutes, "--learning-rate": self.learning_rate}
        for name, value in positive.items():
            if not 0 < value < float("inf"):
                raise ArgumentError(f"{name} is {value}; it must be above 0")
        if not self.cache_gb >= 0:
            raise ArgumentError(f"--cache-gb is {self.cache_gb}; choose 0 or more")
        least = {"--batch": (self.batch, 1), "--crops": (self.crops, 0), "--seed": (self.seed, 0)}
        if self.steps is not None:
            least["--steps"] = self.steps, LEAST_STEPS if self.int8 else 1
        for name, (count, lowest) in least.items():
            whole_number(name, count, lowest)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return dataclasses.asdict(self)


def new_options(given: Mapping[str, Any]) -> EncoderOptions:
    """Return the options of a new run.

    Args:
        given: by name; the others have their defaults.

    Raises:
        ArgumentError: the teacher, the image encoder or the pictures are not named, or a value
            cannot be used.
    """
    for name in ("teacher", "backbone", "images"):
        if name not in given:
            raise ArgumentError(f"no --{name} is given; a new run needs it")
    options = EncoderOptions(**given)
    options.check()
    return options


def resumed_options(stored: Mapping[str, Any], given: Mapping[str, Any]) -> EncoderOptions:
    """Return the options of a run that goes on.

    Args:
        stored: of the run.
        given: what was asked for; it must be the same.

    Raises:
        TrainingError: the run is of another kind.
        ArgumentError: something else was asked for.
    """
    try:
        options = EncoderOptions(**stored)
        options.check()
    except (ArgumentError, TypeError) as error:
        raise TrainingError(
            f"the run was not made by this command, or its state is damaged ({error}); choose "
            "another folder"
        ) from None
    for name, value in given.items():
        before = getattr(options, name)
        if before != value:
            flag = "--" + name.replace("_", "-")
            raise ArgumentError(f"the run was started with {flag} {before}, not {value}; {_ANEW}")
    return options
