"""Pass `cubic_resize`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sam2lite.exporter.tensorrt.passes.resize.resize_matrix import as_products
from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def cubic_resize(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write cubic Resize as a product with a matrix for each axis; fold that of a constant.

    The matrix is dense, though each of its rows has four weights: for tables of positions and
    masks that costs nothing, for a large picture of many channels choose linear interpolation.

    **Given:**

        %y: float32[1, 8, 64, 64] = Resize(%x: float32[1, 8, 16, 16]), mode="cubic"

    **Result:**

        rows: float32[1, 1, 64, 16] = initializer(...)
        columns: float32[1, 1, 16, 64] = initializer(...)
        %y = MatMul(MatMul(rows, %x), columns)

    What `resize_matrix.as_products` cannot write is left as it is; `antialias_resize` has the rest.

    Parity: to rounding, 2e-7 of the largest value.
    """
    return replace(model, "Resize", _expand)


def _expand(new: Replacement) -> bool:
    cubic = new.attribute("mode", "nearest") == "cubic"
    return cubic and not new.attribute("antialias", 0) and as_products(new)
