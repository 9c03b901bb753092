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
    """A stretch of training with batches of one shape.

    Attributes:
        name: for logs.
        stage: 1 without gating, 2 with pruning, 3 with quantization simulated.
        share: of the time of the whole plan.
        batch: of one process.
        images: every so many steps, a batch of single frames instead; 0 for never.
        budget: tokens kept in stage 2; small, so that much has to be pruned in a short clip.
    """

    name: str
    stage: int
    share: float
    batch: BatchShape
    images: int = 0
    budget: int = 0

    @property
    def quantized(self) -> bool:
        """Whether INT8 is simulated."""
        return self.stage == 3


# Most of the time goes to short clips at 160 px; docs/training.md has the figures behind it.
PLAN = (
    Phase("images", 1, 0.22, BatchShape(160, 1, 16, 4)),
    Phase("clips of 4", 1, 0.28, BatchShape(160, 4, 3, 4), images=5),
    Phase("clips of 8", 1, 0.24, BatchShape(160, 8, 2, 4), images=6),
    Phase("clips at 240", 1, 0.12, BatchShape(240, 6, 2, 3), images=6),
    Phase("pruning", 2, 0.08, BatchShape(160, 16, 1, 4), images=6, budget=96),
    Phase("quantization", 3, 0.06, BatchShape(240, 4, 2, 4), images=6),
)
IMAGES_PER_CLIP_FRAME = 0.6  # a batch of single frames is this much smaller than one of clips


@dataclass(frozen=True)
class Moment:
    """Where a run is: the phase, the progress inside it and over all, each 0..1."""

    phase: Phase
    inside: float
    overall: float

    def batch(self, step: int) -> BatchShape:
        """Return the shape of the batch of a step."""
        shape = self.phase.batch
        if not self.phase.images or step % self.phase.images:
            return shape
        clips = max(1, round(shape.clips * shape.frames * IMAGES_PER_CLIP_FRAME))
        return BatchShape(shape.side, 1, clips, shape.targets)

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


def schedule_of(stages: tuple[int, ...], plan: tuple[Phase, ...] = PLAN) -> Schedule:
    """Return the schedule of some stages.

    Raises:
        ArgumentError: there is no such stage, or none is named.
    """
    if not stages or set(stages) - set(STAGES):
        raise ArgumentError(f"stages are {list(stages)}; choose from {', '.join(map(str, STAGES))}")
    return Schedule(tuple(phase for phase in plan if phase.stage in stages))


def learning_rate(peak: float, step: int, progress: float) -> float:
    """Return a linear warm-up over steps times a cosine over the run's progress."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    fall = 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    return peak * warm * (LAST_LR + (1.0 - LAST_LR) * fall)
