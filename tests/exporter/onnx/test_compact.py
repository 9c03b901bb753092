"""Graph files without what names and repetitions cost."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sam2lite.exporter.onnx.compact import compact
from sam2lite.exporter.onnx.weights import THRESHOLD_BYTES
from sam2lite.exporter.verify.parity import run_onnx


def wordy() -> onnx.ModelProto:
    """(x * 2 + 2) @ weight, with two equal constants, one of them not as raw bytes."""
    weight = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "a/constant/two"], ["a/product"], "/a/Mul"),
            helper.make_node("Add", ["a/product", "another/two"], ["a/sum"], "/a/Add"),
            helper.make_node("MatMul", ["a/sum", "weight"], ["y"], "/fc/MatMul"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16])],
        [
            numpy_helper.from_array(np.array(2.0, np.float32), "a/constant/two"),
            helper.make_tensor("another/two", TensorProto.FLOAT, [], [2.0]),
            numpy_helper.from_array(weight, "weight"),
        ],
        value_info=[helper.make_tensor_value_info("a/sum", TensorProto.FLOAT, [1, 16])],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def test_what_is_computed_stays_and_names_that_matter_do() -> None:
    model, x = wordy(), {"x": np.arange(16, dtype=np.float32)[None]}
    expected = run_onnx(model, x)
    compact(model)
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(run_onnx(model, x)["y"], expected["y"])
    graph = model.graph
    assert [node.name for node in graph.node] == ["/a/Mul", "/a/Add", "/fc/MatMul"]
    assert ([v.name for v in graph.input], [v.name for v in graph.output]) == (["x"], ["y"])
    assert len(wordy().graph.initializer[2].raw_data) > THRESHOLD_BYTES
    assert "weight" in [tensor.name for tensor in graph.initializer]


def test_equal_constants_are_one_and_shapes_are_gone() -> None:
    model = wordy()
    compact(model)
    assert len(model.graph.initializer) == 2
    assert not model.graph.value_info
    product, addition, _ = model.graph.node
    assert product.input[1] == addition.input[1]


def test_nodes_may_stand_in_any_order() -> None:
    model, x = wordy(), {"x": np.ones((1, 16), np.float32)}
    expected = run_onnx(model, x)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    compact(model)
    np.testing.assert_array_equal(run_onnx(model, x)["y"], expected["y"])
