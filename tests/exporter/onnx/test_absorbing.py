"""Scales of inputs that what comes before takes over: outputs stay, what layers take changes."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.exporter.onnx.absorbing import Absorbing

WIDTH = 12


def constant(name: str, *shape: int) -> onnx.TensorProto:
    values = np.random.default_rng(len(name) + sum(shape)).standard_normal(shape)
    return numpy_helper.from_array(values.astype(np.float32), name)


def node(operator: str, inputs: str, result: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [result], f"/{result}", **attributes)


NORM = [node("LayerNormalization", "x g b", "n", axis=-1)]
AFFINE = [node("Mul", "x g", "m"), node("Add", "m b", "n")]
RELU = [node("MatMul", "x v", "m"), node("Add", "b m", "a"), node("Relu", "a", "n")]
ROUND = [
    node("Reshape", "n shape", "r"),
    node("Transpose", "r", "t", perm=[1, 0, 2]),
    node("Reshape", "t flat", "f"),
]
ENDS = [node("MatMul", "{} w", "p"), node("Gemm", "{} u c", "q", transB=1)]


def graph(before: list[onnx.NodeProto], last: str, *more: onnx.NodeProto) -> onnx.ModelProto:
    ends = []
    for end in ENDS:
        copy = onnx.NodeProto()
        copy.CopyFrom(end)
        copy.input[0] = last
        ends.append(copy)
    constants = [
        *(constant(name, WIDTH) for name in "gb"),
        *(constant(name, WIDTH, WIDTH) for name in "vw"),
        constant("u", 5, WIDTH),
        constant("c", 5),
        numpy_helper.from_array(np.array([3, 2, WIDTH]), "shape"),
        numpy_helper.from_array(np.array([6, WIDTH]), "flat"),
    ]
    outputs = ["p", "q", *(entry.output[0] for entry in more)]
    made = helper.make_graph(
        [*before, *ends, *more],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [6, WIDTH])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return onnx.shape_inference.infer_shapes(model)


def run(model: onnx.ModelProto) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = np.random.default_rng(3).standard_normal((6, WIDTH)).astype(np.float32)
    return list(session.run(None, {"x": x}))


@pytest.mark.parametrize(
    ("before", "last"),
    [(NORM, "n"), (AFFINE, "n"), (RELU, "n"), ([*NORM, *ROUND], "f"), ([*RELU, *ROUND], "f")],
)
def test_outputs_stay_and_weights_change(before: list[onnx.NodeProto], last: str) -> None:
    model = graph(before, last)
    expected = run(model)
    absorbing = Absorbing(model)
    (found,) = absorbing.found()
    assert sorted(found.layers) == ["/p", "/q"]
    scale = np.geomspace(0.01, 100, WIDTH).astype(np.float32)
    weights = {layer: absorbing.weight_oi(layer) for layer in found.layers}
    absorbing.scale(found, scale)
    for layer, weight in weights.items():
        assert absorbing.weight_oi(layer) == pytest.approx(weight * scale, rel=1e-6)
    for actual, wanted in zip(run(model), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize(
    "model",
    [
        graph(NORM, "n", node("Add", "n x", "z")),  # a residual takes the channels, too
        graph([*NORM, node("Gelu", "n", "h")][:1], "x"),  # nothing comes before
        graph([node("Sigmoid", "x", "n")], "n"),
        graph(NORM, "n", node("MatMul", "x w", "z")),  # a weight that two layers share
        graph([node("Relu", "x", "n")], "n"),
    ],
)
def test_the_rest_is_left(model: onnx.ModelProto) -> None:
    assert Absorbing(model).found() == []


def test_a_constant_that_others_use_is_not_changed_for_them() -> None:
    model = graph(NORM, "n", node("Mul", "x b", "z"))
    expected = run(model)
    absorbing = Absorbing(model)
    (found,) = absorbing.found()
    absorbing.scale(found, np.full(WIDTH, 3.0, np.float32))
    for actual, wanted in zip(run(model), expected, strict=True):
        np.testing.assert_allclose(actual, wanted, atol=1e-5)
