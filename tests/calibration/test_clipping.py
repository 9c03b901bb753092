"""ReLU that quantizing does by itself is taken out, and no other."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.calibration.clipping import drop_relus
from sam2lite.exporter.verify.parity import run_onnx


def layer(zero: np.ndarray, *, shown: bool = False) -> onnx.ModelProto:
    """Return a ReLU whose result is quantized, and a graph's result as well if it is shown."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "relu"),
        helper.make_node("QuantizeLinear", ["a", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    shape = [5, 7]
    results = ["y", *(["a"] if shown else [])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in results],
        [
            numpy_helper.from_array(np.array(0.02, np.float32), "scale"),
            numpy_helper.from_array(zero, "zero"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_relu_before_codes_that_begin_at_0_goes() -> None:
    model = layer(np.array(0, np.uint8))
    x = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    expected = run_onnx(model, {"x": x}, optimise=False)["y"]
    assert (x < 0).any()
    assert (expected > 0).any()
    drop_relus(model)
    assert [node.op_type for node in model.graph.node] == ["QuantizeLinear", "DequantizeLinear"]
    assert np.array_equal(run_onnx(model, {"x": x}, optimise=False)["y"], expected)


@pytest.mark.parametrize(
    "model",
    [
        layer(np.array(3, np.uint8)),
        layer(np.array(0, np.int8)),
        layer(np.array(0, np.uint8), shown=True),
    ],
    ids=["codes below 0", "signed codes", "read elsewhere"],
)
def test_any_other_stays(model: onnx.ModelProto) -> None:
    drop_relus(model)
    assert next(node.op_type for node in model.graph.node) == "Relu"
