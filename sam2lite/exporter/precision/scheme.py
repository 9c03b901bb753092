"""From float graphs to the precision of a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import onnx

    from sam2lite.contracts.tensors import GraphSpec


@dataclass(frozen=True)
class Lowered:
    """A graph in its precision.

    Attributes:
        model: the graph.
        precision: `fp32`, `fp16` or `int8`, as in the manifest.
        report: for the manifest's `verification`, beside the parity of the float graph.
    """

    model: onnx.ModelProto
    precision: str
    report: dict[str, Any] = field(default_factory=dict)


class Lowering(Protocol):
    """What is done to every graph of a bundle after it was found equal to PyTorch in float."""

    @property
    def calibration(self) -> dict[str, Any] | None:
        """What the manifest says about it; None where there is nothing to say."""

    def lower(self, model: onnx.ModelProto, spec: GraphSpec, rung: int) -> Lowered:
        """Return a graph in its precision; `model` may be changed."""


class Float32:
    """Graphs as they are."""

    calibration = None

    def lower(self, model: onnx.ModelProto, spec: GraphSpec, rung: int) -> Lowered:
        """See `Lowering`."""
        return Lowered(model, "fp32")
