"""Pass `antialias_resize`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.tensorrt.passes.resize.resize_matrix import as_products
from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def antialias_resize(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write Resize with antialiasing as a product with a constant matrix for each axis.

    No TensorRT has it; see `cubic_resize`, too.

    **Given:**

        %y: float32[1, 8, 16, 16] = Resize(%x: float32[1, 8, 64, 64]), antialias=1, mode="linear"

    **Result:**

        %y = MatMul(MatMul(rows, %x), columns)

    Parity: to rounding, 2e-7 of the largest value.
    """
    return replace(model, "Resize", _expand)


def _expand(new: Replacement) -> bool:
    linear = new.attribute("mode", "nearest") in ("linear", "cubic")
    return bool(new.attribute("antialias", 0)) and linear and as_products(new)
