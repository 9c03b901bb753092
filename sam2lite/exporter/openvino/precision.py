"""BF16: a matter of the device's arithmetic, which graphs themselves know nothing of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.precision.scheme import Rendered

if TYPE_CHECKING:
    import onnx

    from sam2lite.contracts.tensors import GraphSpec


class BFloat16:
    """Graphs as they are, the image encoder marked to be computed in BF16 where the device has it.

    The others stay in FP32: see `runtimes.backends.openvino.devices`.
    """

    calibration = None

    def render(self, model: onnx.ModelProto, spec: GraphSpec, size: int) -> Rendered:
        """See `PrecisionScheme`."""
        return Rendered(model, "fp32" if spec.image is None else "bf16")
