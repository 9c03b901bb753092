"""Constant rows beside others become a sum, and the values stay what they were."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.exporter.openvino.passes.rows import rows_beside
from sam2lite.exporter.verify.parity import run_onnx


def joined(parts: list[str], *, axis: int = 0, quantized: bool = True) -> onnx.ModelProto:
    """Return a graph that joins `x`, float32 [3, 4], and constants, and quantizes the result."""
    rng = np.random.default_rng(0)
    constants: dict[str, np.ndarray] = {
        "two": rng.standard_normal((2, 4)).astype(np.float32),
        "one": rng.standard_normal((1, 4)).astype(np.float32),
        "tall": rng.standard_normal((3, 2)).astype(np.float32),
        "scale": np.array(0.02, np.float32),
        "zero": np.array(128, np.uint8),
    }
    nodes = [helper.make_node("Concat", parts, ["a"], "joined", axis=axis)]
    if quantized:
        nodes.append(helper.make_node("QuantizeLinear", ["a", "scale", "zero"], ["q"], "q"))
        nodes.append(helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], "d"))
    else:
        nodes.append(helper.make_node("Relu", ["a"], ["y"], "relu"))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", "columns"])
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("parts", [["two", "x"], ["x", "one"], ["two", "x", "one"]])
def test_rows_are_added_where_they_were_joined(parts: list[str]) -> None:
    feeds = {"x": np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)}
    expected = run_onnx(joined(parts), feeds, optimise=False)["y"]
    model = rows_beside(joined(parts))
    onnx.checker.check_model(model)
    assert operators(model)[:2] == ["Pad", "Add"]
    np.testing.assert_array_equal(run_onnx(model, feeds, optimise=False)["y"], expected)


@pytest.mark.parametrize(
    "model",
    [
        joined(["two", "x"], quantized=False),
        joined(["x", "tall"], axis=1),
        joined(["x", "x"]),
        joined(["two", "one"]),
        joined(["x"]),
    ],
)
def test_what_openvino_takes_stays_as_it_is(model: onnx.ModelProto) -> None:
    before = operators(model)
    assert operators(rows_beside(model)) == before
