"""Resize as matrix products: interpolation is linear in the values, and one axis at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sam2lite.errors import ExportError
from sam2lite.exporter.verify.parity import run_onnx

if TYPE_CHECKING:
    from sam2lite.exporter.tensorrt.passes.rewriting import Replacement

_ROI, _SCALES, _SIZES = 1, 2, 3


def as_products(new: Replacement) -> bool:
    """Replace a Resize of the last two axes; say whether that could be done.

    The matrices are what onnxruntime's own Resize makes of unit impulses, so coordinate mode,
    coefficient and borders are the node's. Not done: other axes than the last two, sizes or scales
    that are no constants, cropping, sides that follow the aspect ratio.
    """
    from onnx import helper

    x, output = new.input(0), new.node.output[0]
    before, after = new.shape(x), new.shape(output)
    if (
        before is None
        or after is None
        or len(before) != 4
        or before[:2] != after[:2]
        or new.attribute("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
        or new.attribute("keep_aspect_ratio_policy", "stretch") != "stretch"
        or new.attribute("axes", None) is not None
    ):
        return False
    scales = new.constant(new.input(_SCALES))
    if scales is not None and scales.size != len(before):
        scales = None
    if scales is None and new.constant(new.input(_SIZES)) is None:
        return False
    dtype = helper.tensor_dtype_to_np_dtype(new.dtype(x))
    try:
        rows_oi, columns_oi = (
            _matrix(new, before[axis], after[axis], None if scales is None else scales[axis])
            for axis in (2, 3)
        )
    except ExportError:  # onnxruntime lacks this form, too
        return False
    rows = rows_oi[None, None].astype(dtype)
    columns = columns_oi.T[None, None].astype(dtype)
    values = new.constant(x)
    if values is not None:
        new.add("Identity", [new.array((rows @ values @ columns).astype(dtype))], output)
        return True
    product = new.add("MatMul", [new.array(rows), x])
    new.add("MatMul", [product, new.array(columns)], output)
    return True


def _matrix(new: Replacement, before: int, after: int, scale: float | None) -> np.ndarray[Any, Any]:
    """Return what one axis is multiplied with, `[after, before]`, float32."""
    import onnx
    from onnx import helper, numpy_helper

    if scale is None:
        shape = np.array([before, 1, after, 1], np.int64)
        inputs, constant = ["x", "", "", "shape"], numpy_helper.from_array(shape, "shape")
    else:
        scales = np.array([1.0, 1.0, scale, 1.0], np.float32)
        inputs, constant = ["x", "", "scales"], numpy_helper.from_array(scales, "scales")
    node = onnx.NodeProto()
    node.CopyFrom(new.node)
    node.input[:], node.output[:] = inputs, ["y"]
    graph = helper.make_graph(
        [node],
        "impulses",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [before, 1, before, 1])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [before, 1, after, 1])],
        [constant],
    )
    # An older IR would do, but not an older opset than the form is of.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", new.opset)])
    model.ir_version = helper.find_min_ir_version_for(list(model.opset_import))
    impulses = np.eye(before, dtype=np.float32).reshape(before, 1, before, 1)
    return run_onnx(model, {"x": impulses})["y"].reshape(before, after).T
