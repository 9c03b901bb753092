"""Pass `zero_point`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def zero_point(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write down the zero point of DequantizeLinear that goes without saying.

    **Given:**

        %y = DequantizeLinear(%x: int8[4], scale)

    **Result:**

        %y = DequantizeLinear(%x: int8[4], scale, zeros)

    Parity: exact.
    """
    return replace(model, "DequantizeLinear", _expand)


def _expand(new: Replacement) -> bool:
    from onnx import TensorProto

    x, scale = new.input(0), new.input(1)
    shape = new.shape(scale)
    if new.input(2) or shape is None or new.dtype(x) != TensorProto.INT8:
        return False
    axis = {} if new.opset < 13 else {"axis": new.attribute("axis", 1)}
    zeros = new.array(np.zeros(shape, np.int8))
    new.add("DequantizeLinear", [x, scale, zeros], new.node.output[0], **axis)
    return True
