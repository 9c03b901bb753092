"""What is trained when: phases in the three stages of the recipe, and the schedule over them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sam2lite.errors import ArgumentError
from sam2lite.training.batches import BatchShape

WARM_UP_STEPS = 100
LAST_LR = 0.03  # of the peak
FIRST_TEMPERATURE, LAST_TEMPERATURE = 1.0, 0.1
STAGES = (1, 2, 3)


@dataclass(frozen=True)
class Phase:
    """A stretch of training.

    Attributes:
        name: for logs.
        stage: 1 without gating, 2 with pruning, 3 with quantization simulated.
        share: of the time of the whole schedule.
        batches: of one process, taken in turn.
        budget: tokens kept in stage 2; small, so that much has to be pruned in a short clip.
    """

    name: str
    stage: int
    share: float
    batches: tuple[BatchShape, ...]
    budget: int = 0

    @property
    def quantized(self) -> bool:
        """Whether INT8 is simulated."""
        return self.stage == 3


def _images(side: int, count: int) -> BatchShape:
    return BatchShape(side, 1, count, 4)


# Most of the time goes to small pictures, the last of it to the rungs that users run. Single frames
# among the clips teach the first prompt at a fraction of a clip's cost.
_CLIPS_OF_4 = BatchShape(160, 4, 3, 4)
_CLIPS_OF_8 = BatchShape(160, 8, 2, 4)
_CLIPS_OF_16 = BatchShape(160, 16, 1, 4)
_CLIPS_AT_240 = BatchShape(240, 6, 2, 3)
_CLIPS_AT_336 = BatchShape(336, 4, 1, 4)
_CLIPS_AT_480 = BatchShape(480, 3, 1, 3)
PHASES = (
    Phase("images", 1, 0.16, (_images(160, 16),)),
    Phase("clips of 4", 1, 0.24, (_CLIPS_OF_4, _CLIPS_OF_4, _images(160, 10))),
    Phase("clips of 8", 1, 0.16, (_CLIPS_OF_8, _CLIPS_OF_8, _CLIPS_OF_8, _images(160, 10))),
    Phase("clips at 240", 1, 0.16, (_CLIPS_AT_240, _CLIPS_AT_240, _images(240, 6))),
    Phase("rungs", 1, 0.14, (_CLIPS_AT_240, _CLIPS_AT_336, _CLIPS_AT_480, _images(336, 4))),
    Phase("pruning", 2, 0.07, (_CLIPS_OF_16, _CLIPS_AT_240), budget=96),
    Phase("quantization", 3, 0.07, (_CLIPS_AT_240, _CLIPS_AT_336, _images(480, 2))),
)


@dataclass(frozen=True)
class Moment:
    """Where a run is: the phase, the progress inside it and over all, each 0..1."""

    phase: Phase
    inside: float
    overall: float

    def batch(self, step: int) -> BatchShape:
        """Return the shape of the batch of a step."""
        return self.phase.batches[step % len(self.phase.batches)]

    def temperature(self) -> float:
        """Return the temperature of the gate, falling geometrically within its phase."""
        return float(FIRST_TEMPERATURE * (LAST_TEMPERATURE / FIRST_TEMPERATURE) ** self.inside)


@dataclass(frozen=True)
class Schedule:
    """The phases of some stages, in order, as shares of a run."""

    phases: tuple[Phase, ...]

    def at(self, progress: float) -> Moment:
        """Return the moment at a progress of 0..1; beyond 1 it is the end."""
        total = sum(phase.share for phase in self.phases)
        left = min(max(progress, 0.0), 1.0) * total
        for phase in self.phases[:-1]:
            if left < phase.share:
                return Moment(phase, left / phase.share, progress)
            left -= phase.share
        last = self.phases[-1]
        return Moment(last, min(1.0, left / last.share), progress)


def schedule_of(stages: tuple[int, ...], phases: tuple[Phase, ...] = PHASES) -> Schedule:
    """Return the schedule of some stages.

    Raises:
        ArgumentError: there is no such stage, or none is named.
    """
    if not stages or set(stages) - set(STAGES):
        raise ArgumentError(f"stages are {list(stages)}; choose from {', '.join(map(str, STAGES))}")
    return Schedule(tuple(phase for phase in phases if phase.stage in stages))


def learning_rate(peak: float, step: int, progress: float) -> float:
    """Return a linear warm-up over steps times a cosine over the run's progress."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    fall = 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    return peak * warm * (LAST_LR + (1.0 - LAST_LR) * fall)
