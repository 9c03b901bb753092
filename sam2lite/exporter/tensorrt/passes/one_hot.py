"""Pass `one_hot`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sam2lite.exporter.tensorrt.passes.rewriting import Replacement, replace

if TYPE_CHECKING:
    import onnx


def one_hot(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write OneHot as a comparison with a constant range.

    Indices below zero count from the end, and those outside of the depth are nowhere hot.

    **Given:**

        %y: float32[5, 4] = OneHot(%index, 4, [0, 1])

    **Result:**

        range: int64[1, 4] = initializer(0, 1, 2, 3)
        %i: int64[5, 1] = Reshape(%index)
        %y = Where(Equal(Where(Less(%i, 0), Add(%i, 4), %i), range), 1, 0)

    A depth or values that are not constants are left as they are.

    Parity: exact.
    """
    return replace(model, "OneHot", _expand)


def _expand(new: Replacement) -> bool:
    from onnx import TensorProto

    index = new.input(0)
    shape = new.shape(index)
    depth, values = new.constant(new.input(1)), new.constant(new.input(2))
    if shape is None or depth is None or values is None or values.dtype == np.bool_:
        return False
    count = int(depth.reshape(-1)[0])
    axis = new.attribute("axis", -1) % (len(shape) + 1)
    if new.dtype(index) != TensorProto.INT64:
        index = new.cast(index, TensorProto.INT64)
    index = new.reshape(index, [*shape[:axis], 1, *shape[axis:]])
    negative = new.add("Less", [index, new.scalar(0, TensorProto.INT64)])
    from_end = new.add("Add", [index, new.scalar(count, TensorProto.INT64)])
    place = new.add("Where", [negative, from_end, index])
    positions = np.arange(count, dtype=np.int64).reshape(-1, *[1] * (len(shape) - axis))
    hot = new.add("Equal", [place, new.array(positions)])
    new.add("Where", [hot, new.array(values[1]), new.array(values[0])], new.node.output[0])
    return True
