"""A pass that makes what the parser takes no better is left out, and named."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.errors import ExportError
from sam2lite.exporter.onnx.passes import simplify as simplify_module
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.onnx.passes.runner import PassRunner
from sam2lite.exporter.tensorrt import lower as lower_module
from sam2lite.exporter.tensorrt.lower import lower
from sam2lite.exporter.tensorrt.passes.opset_down import opset_down

X = np.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype(np.float32)


def one(
    operator: str, opset: int, constants: dict[str, np.ndarray], **attributes: Any
) -> onnx.ModelProto:
    node = helper.make_node(operator, ["x", *constants], ["y"], "node", **attributes)
    graph = helper.make_graph(
        [node],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])
    return onnx.shape_inference.infer_shapes(made)


def with_mish(model: onnx.ModelProto) -> onnx.ModelProto:
    """Bring an operator that TensorRT has from 10.0 on."""
    model.graph.node[0].op_type = "Mish"
    return model


def test_what_a_pass_made_worse_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    step = GraphPass("worse", with_mish)
    monkeypatch.setattr(lower_module, "_steps", lambda _: [step])
    monkeypatch.setattr(PassRunner, "_checked", lambda self, step: _unchanged(step.name))
    lowered = lower(one("Relu", 13, {}), "8.2.1")
    assert [node.op_type for node in lowered.model.graph.node] == ["Relu"]
    assert lowered.findings == []
    assert lowered.passes == []
    assert set(lowered.left_out) == {"worse"}
    assert "it would bring Mish (node)" in lowered.left_out["worse"]


def _unchanged(name: str) -> object:
    from sam2lite.exporter.onnx.passes.checked import PassReport

    return PassReport(name, 1, 0.0, 0.0)


def test_a_simplify_that_changes_values_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(model: onnx.ModelProto) -> onnx.ModelProto:
        model.graph.node[0].op_type = "Neg"
        return model

    monkeypatch.setattr(lower_module, "simplify", _named(wrong, "simplify"))
    lowered = lower(one("Relu", 13, {}), "8.2.1")
    assert [node.op_type for node in lowered.model.graph.node] == ["Relu"]
    assert "the pass 'simplify' changed y" in lowered.left_out["simplify"]
    assert simplify_module.simplify.__name__ == "simplify"


def _named(function: object, name: str) -> object:
    function.__name__ = name  # type: ignore[attr-defined]
    return function


def test_a_pass_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: onnx.ModelProto) -> onnx.ModelProto:
        raise ExportError("no luck")

    monkeypatch.setattr(lower_module, "_steps", lambda _: [GraphPass("unlucky", failing)])
    with pytest.raises(ExportError, match="the pass 'unlucky' failed: no luck; --skip-pass"):
        lower(one("Relu", 13, {}), "8.2.1")


def test_a_domain_of_its_own_is_no_pass_s_to_bring() -> None:
    def branded(model: onnx.ModelProto) -> onnx.ModelProto:
        model.graph.node[0].domain = "com.example"
        return model

    runner = PassRunner(one("Relu", 13, {}), {"x": X})
    with pytest.raises(ExportError, match=r"the pass 'branded' brought operators of com\.example"):
        runner.rewrite(GraphPass("branded", branded))


PADS = {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
SIZES = {"roi": np.array([], np.float32), "s": np.array([1, 1, 2, 2], np.float32)}


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (one("Pad", 19, PADS, mode="wrap"), "mode cannot be 'wrap'"),
        (one("Pad", 13, PADS, mode="wrap"), "mode cannot be 'wrap'"),
        (
            one("Resize", 19, SIZES, coordinate_transformation_mode="half_pixel_symmetric"),
            "coordinate_transformation_mode cannot be 'half_pixel_symmetric'",
        ),
        (one("ScatterElements", 18, {}, reduction="max"), "reduction cannot be 'max'"),
    ],
)
def test_an_older_opset_does_not_have_the_value(model: onnx.ModelProto, value: str) -> None:
    opset = 16 if model.graph.node[0].op_type == "ScatterElements" else 13
    with pytest.raises(ExportError, match=f"cannot be written in opset {opset}: .*{value}"):
        opset_down(model, opset)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_values_that_the_older_opset_has_stay(mode: str) -> None:
    model = opset_down(one("Pad", 19, PADS, mode=mode), 13)
    assert model.graph.node[0].attribute[0].s.decode() == mode
