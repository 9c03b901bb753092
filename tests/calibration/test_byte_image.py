"""The image's bytes as an INT8 convolution takes them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.calibration.byte_image import ZERO, join_bytes, take_bytes
from sam2lite.exporter.verify.parity import run_onnx

MEAN, STD = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)


def normalised_convolution(kinds: tuple[str, ...] = ("Mul", "Add")) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    mean, std = (np.array(x, np.float32).reshape(1, 3, 1, 1) for x in (MEAN, STD))
    constants = {
        "scale": 1 / std,
        "shift": -mean / std,
        "weight": rng.normal(size=(8, 3, 3, 3)),
        "bias": rng.normal(size=8),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["cast"], "/Cast", to=TensorProto.FLOAT),
        helper.make_node(kinds[0], ["scale", "cast"], ["scaled"], "/Mul"),
        helper.make_node(kinds[1], ["scaled", "shift"], ["shifted"], "/Add"),
        helper.make_node(
            "Conv", ["shifted", "weight", "bias"], ["y"], "/Conv", pads=[1, 1, 1, 1], strides=[2, 2]
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 3, 10, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 5, 6])],
        [numpy_helper.from_array(x.astype(np.float32), name) for name, x in constants.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def image(seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"image": rng.integers(0, 256, (1, 3, 10, 12)).astype(np.uint8)}


def test_the_convolution_of_bytes_is_the_same_up_to_the_border() -> None:
    model = normalised_convolution()
    expected = run_onnx(model, image())["y"]
    taken = take_bytes(model, {"/Conv"})
    assert taken is not None
    assert taken.span == (-ZERO, 255 - ZERO)
    onnx.checker.check_model(model)
    np.testing.assert_allclose(run_onnx(model, image())["y"], expected, atol=2e-5)


def test_codes_are_the_bytes() -> None:
    model = normalised_convolution()
    taken = take_bytes(model, {"/Conv"})
    assert taken is not None
    expected = run_onnx(model, image())["y"]
    convolution = next(node for node in model.graph.node if node.op_type == "Conv")
    scale, zero = np.array(1.0, np.float32), np.array(ZERO, np.uint8)
    model.graph.initializer.append(numpy_helper.from_array(scale, "s"))
    model.graph.initializer.append(numpy_helper.from_array(zero, "z"))
    convolution.input[0] = "dequantized"
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(
        [
            *nodes[:-1],
            helper.make_node("QuantizeLinear", [taken.tensor, "s", "z"], ["code"], "/Q"),
            helper.make_node("DequantizeLinear", ["code", "s", "z"], ["dequantized"], "/DQ"),
            nodes[-1],
        ]
    )
    join_bytes(model, taken)
    assert [node.op_type for node in model.graph.node] == ["Pad", "DequantizeLinear", "Conv"]
    np.testing.assert_allclose(run_onnx(model, image())["y"], expected, atol=2e-5)


@pytest.mark.parametrize("kinds", [("Sub", "Add"), ("Mul", "Div")])
def test_another_normalisation_is_left_alone(kinds: tuple[str, str]) -> None:
    model = normalised_convolution(kinds)
    before = model.SerializeToString()
    assert take_bytes(model, {"/Conv"}) is None
    assert model.SerializeToString() == before


def test_a_convolution_in_float_is_left_alone() -> None:
    model = normalised_convolution()
    before = model.SerializeToString()
    assert take_bytes(model, {"/Other"}) is None
    assert model.SerializeToString() == before
