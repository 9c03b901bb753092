"""Graphs that differ in names alone compute the same; whatever else differs is told apart."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.exporter.onnx import skeleton
from sam2lite.exporter.onnx.computation import computation
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.shapes import shapes
from sam2lite.exporter.onnx.skeleton import check_model, without_weights
from sam2lite.exporter.verify.parity import run_onnx

WEIGHT = np.random.default_rng(0).standard_normal((600, 600)).astype(np.float32)


def model() -> onnx.ModelProto:
    """Return a product with a weight of more than a megabyte, a sum and two constants."""
    nodes = [
        helper.make_node(
            "Constant", [], ["two"], value=numpy_helper.from_array(np.array([2.0], np.float32))
        ),
        helper.make_node("MatMul", ["x", "weight"], ["product"], "/MatMul"),
        helper.make_node("Mul", ["product", "two"], ["double"], "/Mul"),
        helper.make_node("Add", ["double", "bias"], ["y"], "/Add"),
    ]
    made = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 600])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 600])],
        [
            numpy_helper.from_array(WEIGHT, "weight"),
            numpy_helper.from_array(WEIGHT[0], "bias"),
        ],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def renamed(net: onnx.ModelProto) -> None:
    net.graph.initializer[0].name = net.graph.node[1].input[1] = "w"
    net.graph.node[1].output[0] = net.graph.node[2].input[0] = "p"
    net.graph.node[1].name = "another"
    net.graph.name = "other"


def reordered(net: onnx.ModelProto) -> None:
    first = onnx.TensorProto()
    first.CopyFrom(net.graph.initializer[0])
    del net.graph.initializer[0]
    net.graph.initializer.append(first)


@pytest.mark.parametrize("change", [renamed, reordered, constants, shapes])
def test_names_and_notes_do_not_matter(change: Callable[[onnx.ModelProto], object]) -> None:
    net = model()
    change(net)
    assert net.SerializeToString() != model().SerializeToString()
    assert computation(net) == computation(model())


def another_value(net: onnx.ModelProto) -> None:
    data = bytearray(net.graph.initializer[0].raw_data)
    data[-1] ^= 1
    net.graph.initializer[0].raw_data = bytes(data)


def another_operator(net: onnx.ModelProto) -> None:
    net.graph.node[3].op_type = "Sub"


def another_order(net: onnx.ModelProto) -> None:
    net.graph.node[3].input[:] = ["bias", "double"]


def another_source(net: onnx.ModelProto) -> None:
    net.graph.node[3].input[0] = "product"


def another_attribute(net: onnx.ModelProto) -> None:
    net.graph.node[1].attribute.append(helper.make_attribute("alpha", 2.0))


def another_constant(net: onnx.ModelProto) -> None:
    net.graph.node[0].attribute[0].t.raw_data = np.array([3.0], np.float32).tobytes()


def another_output(net: onnx.ModelProto) -> None:
    net.graph.output[0].name = "double"


def another_type(net: onnx.ModelProto) -> None:
    net.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def another_opset(net: onnx.ModelProto) -> None:
    net.opset_import[0].version = 18


@pytest.mark.parametrize(
    "change",
    [
        another_value,
        another_operator,
        another_order,
        another_source,
        another_attribute,
        another_constant,
        another_output,
        another_type,
        another_opset,
    ],
)
def test_all_else_does(change: Callable[[onnx.ModelProto], None]) -> None:
    net = model()
    change(net)
    assert computation(net) != computation(model())


def test_large_weights_beside_a_model_are_those_in_it() -> None:
    light, weights = without_weights(model())
    assert list(weights) == ["weight"]
    np.testing.assert_array_equal(weights["weight"], WEIGHT)
    assert light.ByteSize() < 10_000
    assert [tensor.name for tensor in light.graph.initializer] == ["weight", "bias"]
    x = np.ones((3, 600), np.float32)
    for optimise in (True, False):
        found = run_onnx(model(), {"x": x}, optimise=optimise)["y"]
        np.testing.assert_allclose(found, x @ WEIGHT * 2 + WEIGHT[0], rtol=1e-4, atol=1e-4)


def test_values_are_the_same_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    feeds = {"x": np.random.default_rng(1).standard_normal((3, 600)).astype(np.float32)}
    beside = run_onnx(model(), feeds)["y"]
    monkeypatch.setattr(skeleton, "LARGE_BYTES", 1 << 40)
    np.testing.assert_array_equal(run_onnx(model(), feeds)["y"], beside)


def test_a_large_weight_is_checked_too() -> None:
    check_model(model())
    broken = model()
    broken.graph.initializer[0].raw_data = b"1234"
    with pytest.raises(onnx.checker.ValidationError, match="weight"):
        check_model(broken)
