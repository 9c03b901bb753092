"""GELU behind a quantized layer becomes ONNX Runtime's own operator, elsewhere it stays."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from sam2lite.contracts.tensors import GraphSpec, TensorSpec
from sam2lite.exporter.onnx.passes.closing import close
from sam2lite.exporter.onnx.passes.constants import constants
from sam2lite.exporter.onnx.passes.graph_pass import GraphPass
from sam2lite.exporter.onnx.passes.simplify import simplify
from sam2lite.exporter.onnx.trace import trace
from sam2lite.exporter.ort.own_operators import ORT_DOMAIN
from sam2lite.exporter.ort.passes.gelu import gelu
from sam2lite.exporter.verify.parity import run_onnx

SHAPE = (1, 2, 4, 4)
SPEC = GraphSpec(
    "some",
    (TensorSpec("image_bchw", "float32", SHAPE),),
    (TensorSpec("y", "float32", SHAPE),),
)


class Gelu(nn.Module):
    def forward(self, image_bchw: Tensor) -> Tensor:
        return nn.functional.gelu(image_bchw * 3.0) - 1.0


def traced(opset: int = 17) -> onnx.ModelProto:
    return constants(simplify(trace(Gelu(), SPEC, opset)))


def quantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantize what goes into the GELU, as a layer before it would."""
    graph = model.graph
    for name, value in (("scale", np.float32(0.05)), ("zero", np.uint8(120))):
        graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    given = erfs(graph)
    (maker,) = (node for node in graph.node if node.output[0] in given)
    before, after = maker.output[0], f"{maker.output[0]}:dequantized"
    for node in graph.node:
        node.input[:] = [after if name == before else name for name in node.input]
    place = list(graph.node).index(maker) + 1
    for operator, source, result in (
        ("DequantizeLinear", "q", after),
        ("QuantizeLinear", before, "q"),
    ):
        node = helper.make_node(operator, [source, "scale", "zero"], [result])
        graph.node.insert(place, node)
    return model


def erfs(graph: onnx.GraphProto) -> set[str]:
    """Return what the Div before an Erf is given."""
    made = {node.output[0]: node for node in graph.node}
    return {made[node.input[0]].input[0] for node in graph.node if node.op_type == "Erf"}


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def feeds() -> dict[str, np.ndarray]:
    return {"image_bchw": np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)}


def test_behind_a_quantized_layer_it_is_one_operator_and_computes_the_same() -> None:
    model = quantized(traced())
    expected = run_onnx(model, feeds(), optimise=False)
    changed, (report,) = close(model, SPEC, [GraphPass("gelu", gelu)])
    assert operators(changed).count("Gelu") == 1
    assert "Erf" not in operators(changed)
    assert [each.version for each in changed.opset_import if each.domain == ORT_DOMAIN] == [1]
    for name, value in run_onnx(changed, feeds(), optimise=False).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-6)
    assert report.name == "gelu"


@pytest.mark.parametrize("number", [0.4, 0.6])
def test_what_only_looks_like_it_stays(number: float) -> None:
    model = quantized(traced())
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.size == 1 and array.dtype == np.float32 and array.item() == 0.5:
            tensor.CopyFrom(numpy_helper.from_array(np.full_like(array, number), tensor.name))
    before = operators(model)
    assert operators(gelu(model)) == before


def test_in_float_and_as_the_operator_of_opset_20_it_stays() -> None:
    for opset in (17, 20):
        before = operators(traced(opset))
        assert operators(gelu(traced(opset))) == before
        assert ("Gelu" in before) == (opset == 20)


def test_a_value_that_others_read_stays() -> None:
    model = quantized(traced())
    (erf,) = (node for node in model.graph.node if node.op_type == "Erf")
    kind = helper.make_tensor_value_info(erf.output[0], TensorProto.FLOAT, SHAPE)
    model.graph.output.append(kind)
    found = gelu(model)
    assert {"Gelu", "Erf"} <= set(operators(found))
