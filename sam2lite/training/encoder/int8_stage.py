"""The end of a run, in which the image encoder computes as in INT8."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from torch import Tensor

from sam2lite.models.grafting import Grafting
from sam2lite.models.loaded import LoadedModel
from sam2lite.training.quantization import SimulatedInt8

INT8_SHARE = 0.3  # of a run: a validation falls due when it begins, so float has its last word
LEAST_STEPS = 10  # of a run that has such a stage


class Int8Stage:
    """Simulates INT8 from a share of a run on, and knows the ranges that layers had in it.

    Attributes:
        asked: whether the run has such a stage.
    """

    def __init__(self, student: LoadedModel, host: Grafting, asked: bool) -> None:
        """Find the layers of the image encoder that may run in INT8.

        Args:
            student: on the device on which it is trained.
            host: of its image encoder.
            asked: whether the run has such a stage.
        """
        self.asked, self._host = asked, host
        trained = set(host.trained_part(student.model).modules())
        layers = student.quantized_layers().items()
        self._simulation = SimulatedInt8(
            {path: layer for path, layer in layers if layer in trained}, host.folds(student.model)
        )

    @property
    def observed(self) -> dict[str, Tensor]:
        """What the simulation has observed, by layer; see `SimulatedInt8`."""
        return self._simulation.observed

    def begun(self, share: float) -> bool:
        """Return whether a step at a share of the run is in it."""
        return self.asked and share >= 1.0 - INT8_SHARE

    def at(self, share: float) -> AbstractContextManager[object]:
        """Return what a step at a share of the run is done in."""
        return self._simulation if self.begun(share) else nullcontext()

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Return the inputs' ranges by the paths that an export has; none before it has begun."""
        return self._host.exported_ranges(self._simulation.ranges())
