"""Graphs with Q/DQ: what is quantized, how, and how far it is from float."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from sam2lite.calibration.observe import observe
from sam2lite.calibration.observers import Range
from sam2lite.calibration.qdq import layers_of, render
from sam2lite.calibration.recorder import Recording
from sam2lite.contracts.families.sam2lite import IMAGE_ENCODER, MASK_DECODER, MEMORY_ENCODER
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import CalibrationError
from sam2lite.exporter.onnx.passes.pipeline import run_passes
from sam2lite.exporter.onnx.trace import example_inputs, trace
from sam2lite.exporter.verify.parity import compare, run_onnx
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.quantizable import quantized_layers
from sam2lite.targets.cpu import ARM64, X86_64, X86_64_VNNI
from tests.calibration.conftest import RUNGS

SPECS = (IMAGE_ENCODER, MASK_DECODER, MEMORY_ENCODER)
LEAST_SQNR_DB = 15.0  # random weights spread more than trained ones
FLOAT_OPERATORS = {"Softmax", "LayerNormalization", "Sin", "Cos", "TopK"}


@pytest.fixture(scope="module")
def graphs(small: LoadedModel) -> dict[str, onnx.ModelProto]:
    fused = small.model.fused()
    found = {}
    for graph in SPECS:
        spec = graph.bind(small.config.dims(RUNGS[0]))
        inputs = example_inputs(spec)
        feeds = {name: x.numpy() for name, x in zip(spec.input_names, inputs, strict=True)}
        traced = trace(getattr(fused, graph.name), spec, 17)
        found[graph.name], _ = run_passes(traced, spec, feeds)
    return found


@pytest.fixture(scope="module")
def ranges(small: LoadedModel, recording: Recording) -> dict[str, Range]:
    return observe(small, recording, "mse")


def own(graph: str, keys: object) -> set[str]:
    prefix = f"{graph}."
    return {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}  # type: ignore[attr-defined]


def parts(
    graph: str, graphs: dict[str, onnx.ModelProto], ranges: dict[str, Range], small: LoadedModel
) -> tuple[onnx.ModelProto, dict[str, str], dict[str, Range]]:
    layers = layers_of(graphs[graph], own(graph, quantized_layers(small.model)))
    return graphs[graph], layers, {key: ranges[f"{graph}.{key}"] for key in own(graph, ranges)}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_layer_has_its_node(
    spec: GraphSpec, graphs: dict[str, onnx.ModelProto], small: LoadedModel
) -> None:
    paths = own(spec.name, quantized_layers(small.model))
    layers = layers_of(graphs[spec.name], paths)
    assert sorted(layers.values()) == sorted(paths)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_int8_is_near_float(
    spec: GraphSpec,
    graphs: dict[str, onnx.ModelProto],
    ranges: dict[str, Range],
    small: LoadedModel,
    recording: Recording,
) -> None:
    model, layers, spans = parts(spec.name, graphs, ranges, small)
    before = model.SerializeToString()
    rendered = render(model, layers, spans, X86_64_VNNI.qdq)
    assert model.SerializeToString() == before
    *_, (_, inputs) = recording.calls(spec.name, RUNGS[0])
    feeds = {name: x.numpy() for name, x in zip(spec.input_names, inputs, strict=True)}
    expected, actual = run_onnx(model, feeds), run_onnx(rendered, feeds)
    first = spec.output_names[0]
    assert LEAST_SQNR_DB < compare(actual[first], expected[first]).sqnr_db < 100.0


@pytest.mark.parametrize(
    ("profile", "activation", "zero", "most"),
    [
        (X86_64_VNNI, np.uint8, None, 127),
        (X86_64, np.uint8, None, 64),  # 7 bits: products of two would saturate without VNNI
        (ARM64, np.int8, 0, 127),
    ],
    ids=lambda value: getattr(value, "id", None),
)
def test_each_target_gets_its_own_style(
    profile: object,
    activation: type,
    zero: int | None,
    most: int,
    graphs: dict[str, onnx.ModelProto],
    ranges: dict[str, Range],
    small: LoadedModel,
) -> None:
    model, layers, spans = parts("image_encoder", graphs, ranges, small)
    rendered = render(model, layers, spans, profile.qdq)  # type: ignore[attr-defined]
    constants = {t.name: numpy_helper.to_array(t) for t in rendered.graph.initializer}
    activations = [node for node in rendered.graph.node if node.op_type == "QuantizeLinear"]
    assert activations
    zeros = {int(constants[node.input[2]]) for node in activations}
    assert all(constants[node.input[2]].dtype == activation for node in activations)
    assert zeros == {0} if zero == 0 else len(zeros) > 1
    weights = [
        constants[node.input[0]]
        for node in rendered.graph.node
        if node.op_type == "DequantizeLinear"
        and node.input[0] in constants
        and constants[node.input[0]].dtype == np.int8
    ]
    assert len(weights) == len(layers)
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights) in (most - 1, most)
    scales = [
        constants[node.input[1]].size
        for node in rendered.graph.node
        if node.op_type == "DequantizeLinear" and "weight_quantized" in node.input[0]
    ]
    assert max(scales) > 1  # per channel


def test_what_must_stay_in_float_does(
    graphs: dict[str, onnx.ModelProto], ranges: dict[str, Range], small: LoadedModel
) -> None:
    for spec in SPECS:
        model, layers, spans = parts(spec.name, graphs, ranges, small)
        rendered = render(model, layers, spans, X86_64_VNNI.qdq)
        producers = {name: node for node in rendered.graph.node for name in node.output}
        constants = {tensor.name for tensor in rendered.graph.initializer}
        for node in rendered.graph.node:
            sources = {producers[name].op_type for name in node.input if name in producers}
            if node.op_type in FLOAT_OPERATORS:
                assert "DequantizeLinear" not in sources or node.op_type == "LayerNormalization"
            if node.op_type == "MatMul" and not constants & set(node.input):
                assert node.name in layers or sources != {"DequantizeLinear"}


def test_no_layers_give_the_same_graph(graphs: dict[str, onnx.ModelProto]) -> None:
    model = graphs["memory_encoder"]
    assert render(model, {}, {}, X86_64_VNNI.qdq) == model


def test_fewer_layers_leave_the_others_in_float(
    graphs: dict[str, onnx.ModelProto], ranges: dict[str, Range], small: LoadedModel
) -> None:
    model, layers, spans = parts("image_encoder", graphs, ranges, small)
    kept = next(name for name, path in layers.items() if path == "stages.2.blocks.0.expand")
    fewer = {name: path for name, path in layers.items() if name != kept}
    rendered = render(model, fewer, spans, X86_64_VNNI.qdq)
    (node,) = (node for node in rendered.graph.node if node.name == kept)
    assert node.input[1] == "stages.2.blocks.0.expand.weight"


def test_the_first_convolution_may_stay_in_float(
    graphs: dict[str, onnx.ModelProto], ranges: dict[str, Range], small: LoadedModel
) -> None:
    model, layers, spans = parts("image_encoder", graphs, ranges, small)
    rest = {node: path for node, path in layers.items() if path != "stem.0"}
    rendered = render(model, rest, spans, X86_64_VNNI.qdq)
    spec = IMAGE_ENCODER.bind(small.config.dims(RUNGS[0]))
    feeds = {
        name: x.numpy() for name, x in zip(spec.input_names, example_inputs(spec), strict=True)
    }
    expected, actual = run_onnx(model, feeds), run_onnx(rendered, feeds)
    assert min(compare(actual[x], expected[x]).sqnr_db for x in expected) > LEAST_SQNR_DB


def test_a_missing_range_is_named(
    graphs: dict[str, onnx.ModelProto], ranges: dict[str, Range], small: LoadedModel
) -> None:
    model, layers, spans = parts("image_encoder", graphs, ranges, small)
    del spans["stem.0:input"]
    with pytest.raises(CalibrationError, match=r"no range for .* which /stem\.0/Conv needs"):
        render(model, layers, spans, X86_64_VNNI.qdq)
