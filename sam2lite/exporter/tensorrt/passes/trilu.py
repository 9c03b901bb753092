"""Pass `trilu`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def trilu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write Trilu as a choice by a constant mask; pass `simplify` has folded that of a constant.

    Where, not Mul, because attention masks hold infinities. Flags are not chosen but joined, as
    TensorRT 8.2 has no Where of BOOL (onnx/onnx-tensorrt, builtin_op_importers.cpp at 8.2-GA).

    **Given:**

        %y: float32[1, 8, 8] = Trilu(%x, 1)

    **Result:**

        mask: bool[8, 8] = initializer(...)
        %y = Where(mask, %x, 0)

    A diagonal that is not a constant is left as it is.

    Parity: exact.
    """
    return replace(model, "Trilu", _expand)


def _expand(new: Replacement) -> bool:
    from onnx import TensorProto

    x, dtype = new.input(0), new.dtype(new.input(0))
    shape, diagonal = new.shape(x), new.constant(new.input(1))
    if shape is None or not dtype or (new.input(1) and diagonal is None):
        return False
    k = 0 if diagonal is None else int(diagonal.reshape(-1)[0])
    every = np.ones(shape[-2:], dtype=bool)
    mask = new.array(np.triu(every, k) if new.attribute("upper", 1) else np.tril(every, k))
    output = new.node.output[0]
    if dtype == TensorProto.BOOL:
        new.add("And", [x, mask], output)
    else:
        new.add("Where", [mask, x, new.scalar(0, dtype)], output)
    return True
