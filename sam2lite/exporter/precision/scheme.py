"""From float graphs to the precision of a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import onnx

    from sam2lite.contracts.tensors import GraphSpec


@dataclass(frozen=True)
class Rendered:
    """A graph in its precision.

    Attributes:
        model: the graph.
        precision: `fp32`, `fp16` or `int8`, as in the manifest.
        report: for the manifest's `verification`, beside the parity of the float graph.
    """

    model: onnx.ModelProto
    precision: str
    report: dict[str, Any] = field(default_factory=dict)


class PrecisionScheme(Protocol):
    """What is done to every graph of a bundle after it was found equal to PyTorch in float."""

    @property
    def calibration(self) -> dict[str, Any] | None:
        """What the manifest says about it; None where there is nothing to say."""

    def render(self, model: onnx.ModelProto, spec: GraphSpec, size: int) -> Rendered:
        """Return a graph in its precision; `model` may be changed.

        Args:
            model: the graph in float.
            spec: its bound spec.
            size: of the input that it was made at, px.
        """


class Float32:
    """Graphs as they are."""

    calibration = None

    def render(self, model: onnx.ModelProto, spec: GraphSpec, size: int) -> Rendered:
        """See `PrecisionScheme`."""
        return Rendered(model, "fp32")
