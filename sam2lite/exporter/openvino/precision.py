"""BF16: a matter of the device's arithmetic, which graphs themselves know nothing of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.precision.scheme import Rendered

if TYPE_CHECKING:
    import onnx

    from sam2lite.contracts.tensors import GraphSpec


class BFloat16:
    """Graphs as they are, marked to be computed in BF16 where the device has it."""

    calibration = None

    def render(self, model: onnx.ModelProto, spec: GraphSpec, size: int) -> Rendered:
        """See `PrecisionScheme`; a graph that ranks stays in FP32, so that it ranks exactly."""
        return Rendered(model, "fp32" if spec.ranks else "bf16")
