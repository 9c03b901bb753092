"""Linear layers in four bits: computed with what the codes stand for, and small in the file."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.calibration.four_bits.grid import Floats, Grid, Packed, rounded, steps_of
from sam2lite.calibration.four_bits.layer import FourBitLayer
from sam2lite.calibration.four_bits.low_rank import Branch
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.exporter.export import export
from sam2lite.exporter.ort.matmul_nbits import FLOAT_ACTIVATIONS, INT8_ACTIVATIONS, pack
from sam2lite.exporter.precision.fp16_storage import store_in_fp16
from sam2lite.exporter.recipe import Recipe
from sam2lite.models.loaded import LoadedModel
from sam2lite.models.sam2lite.checkpoint import save_checkpoint
from sam2lite.runtimes.bundle import Bundle
from sam2lite.runtimes.segmenter import VideoSegmenter

SIZE = 240
ROWS = 9


def weight(inputs: int, outputs: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((outputs, inputs)).astype(np.float32)


def linear(inputs: int, outputs: int, operator: str) -> onnx.ModelProto:
    """Return a graph of one linear layer."""
    values = weight(inputs, outputs)
    bias = np.random.default_rng(1).standard_normal(outputs).astype(np.float32)
    constants = [
        numpy_helper.from_array(values if operator == "Gemm" else values.T.copy(), "w"),
        numpy_helper.from_array(bias, "b"),
    ]
    if operator == "Gemm":
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"], "layer", transB=1)]
    else:
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["m"], "layer"),
            helper.make_node("Add", ["m", "b"], ["y"], "bias"),
        ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [ROWS, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [ROWS, outputs])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return model


def run(model: onnx.ModelProto, x: Floats) -> Floats:
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"x": x})
    return np.asarray(found)


def on_grid(grid: Grid, given: list[Packed]) -> Callable[[str, Floats], FourBitLayer]:
    def packed(path: str, values: Floats) -> FourBitLayer:
        assert path == "some.layer"
        given.append(rounded(values, steps_of(values, grid)))
        return FourBitLayer(given[-1], None, None, 0.0, False)

    return packed


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("operator", ["MatMul", "Gemm"])
@pytest.mark.parametrize(
    ("inputs", "outputs", "group"), [(96, 40, 32), (100, 33, 32), (147, 8, 64), (300, 64, 128)]
)
def test_it_computes_what_the_codes_stand_for(
    inputs: int, outputs: int, group: int, operator: str, symmetric: bool
) -> None:
    x = np.random.default_rng(2).standard_normal((ROWS, inputs)).astype(np.float32)
    model = linear(inputs, outputs, operator)
    bias = numpy_helper.to_array(model.graph.initializer[1])
    given: list[Packed] = []
    layers = {"layer": "some.layer"}
    found = pack(model, layers, on_grid(Grid(group, symmetric), given), FLOAT_ACTIVATIONS)
    store_in_fp16(model)
    onnx.checker.check_model(model)
    (packed,) = given
    assert packed.codes_oi.shape == (outputs, inputs)
    np.testing.assert_allclose(run(model, x), x @ packed.weight().T + bias, atol=1e-4)
    assert found.layers == ("some.layer",)
    assert found.weights == inputs * outputs
    assert {node.op_type for node in model.graph.node} <= {"MatMulNBits", "Add", "Cast"}
    assert "w" not in {tensor.name for tensor in model.graph.initializer}


@pytest.mark.parametrize("operator", ["MatMul", "Gemm"])
def test_a_branch_and_a_bias_are_added(operator: str) -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((ROWS, 96)).astype(np.float32)
    model = linear(96, 40, operator)
    bias = numpy_helper.to_array(model.graph.initializer[1])
    values = weight(96, 40)
    down, up = weight(96, 8, 3), weight(8, 40, 4)
    more = rng.standard_normal(40).astype(np.float32)
    packed = rounded(values, steps_of(values, Grid(32)))
    layer = FourBitLayer(packed, Branch(down, up), more, 0.0, False)
    pack(model, {"layer": "some.layer"}, lambda path, values: layer, FLOAT_ACTIVATIONS)
    onnx.checker.check_model(model)
    expected = x @ packed.weight().T + (x @ down.T) @ up.T + bias + more
    np.testing.assert_allclose(run(model, x), expected, atol=1e-3)
    operators = [node.op_type for node in model.graph.node]
    assert sorted(operators) == ["Add", "Add", "MatMul", "MatMul", "MatMulNBits"]


def test_activations_in_eight_bits_are_near() -> None:
    x = np.random.default_rng(2).standard_normal((ROWS, 256)).astype(np.float32)
    model = linear(256, 64, "MatMul")
    given: list[Packed] = []
    pack(model, {"layer": "some.layer"}, on_grid(Grid(32), given), INT8_ACTIVATIONS)
    bias = numpy_helper.to_array(model.graph.initializer[0])
    expected = x @ given[0].weight().T + bias
    error = run(model, x) - expected
    ratio_db = 10 * np.log10((expected**2).mean() / (error**2).mean())
    assert 35 < ratio_db < 60  # eight bits, and really so


def test_a_file_is_as_small_as_its_bits() -> None:
    model = linear(512, 512, "MatMul")
    given: list[Packed] = []
    found = pack(model, {"layer": "some.layer"}, on_grid(Grid(32), given), FLOAT_ACTIVATIONS)
    assert found.bits_a_weight == 4 + 16 / 32 + 4 / 32
    store_in_fp16(model)
    assert len(model.SerializeToString()) < 1.02 * found.bytes + 4 * 512 + 600
    assert found.bytes < 0.3 * 2 * 512 * 512  # of FP16


def test_layers_that_share_a_weight_share_its_codes() -> None:
    model = linear(64, 64, "MatMul")
    model.graph.node.insert(1, helper.make_node("MatMul", ["m", "w"], ["n"], "again"))
    model.graph.node[2].input[0] = "n"
    given: list[Packed] = []
    layers = {"layer": "some.layer", "again": "some.layer"}
    found = pack(model, layers, on_grid(Grid(32), given), FLOAT_ACTIVATIONS)
    assert len(given) == 1
    assert found.weights == 64 * 64
    assert [node.op_type for node in model.graph.node] == ["MatMulNBits", "MatMulNBits", "Add"]


def test_what_stays_in_float_is_not_touched() -> None:
    model = linear(64, 64, "Gemm")
    before = model.SerializeToString()
    found = pack(model, {"layer": "some.layer"}, lambda path, values: None, FLOAT_ACTIVATIONS)
    assert found.layers == ()
    assert {node.op_type for node in model.graph.node} == {"Gemm"}
    assert model.graph == onnx.load_from_string(before).graph


@pytest.fixture(scope="module")
def recipe(mini_model: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("four_bits")
    save_checkpoint(mini_model.model, folder / "mini")
    return Recipe(
        model=str(folder / "mini"),
        target="x86-64",
        sizes=[SIZE],
        calib_frames=8,
        accept_drop=True,
        output=folder / "b",
    )


@pytest.fixture(scope="module", params=["w4", "w4a8"])
def bundle(
    request: pytest.FixtureRequest, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    output = tmp_path_factory.mktemp("bundles") / "b"
    return export(dataclasses.replace(recipe, precision=request.param, output=output))


def test_a_bundle_says_what_is_packed(bundle: Bundle) -> None:
    manifest = bundle.manifest
    precisions = {entry.precision for entry in manifest.graphs.values()}
    assert len(precisions & {"w4", "w4a8"}) == 1
    said = manifest.calibration
    assert said is not None
    assert (said["method"], said["group"], said["block_size"]) == ("gptq", 32, 32)
    assert said["four_bit_layers"]
    reports = manifest.verification["graphs"].values()
    packed = [report["four_bits"] for report in reports if "four_bits" in report]
    assert packed
    for report in packed:
        assert 4.6 < report["bits_a_weight"] < 6.5  # scales of small layers stay in FP32
        assert report["layers"] == len(report["output_error"])
        assert max(report["output_error"].values()) < 0.1
    operators = {
        (node.domain, node.op_type)
        for path in Path(bundle.path, "graphs").glob("*.onnx")
        for node in onnx.load(str(path), load_external_data=False).graph.node
    }
    assert ("com.microsoft", "MatMulNBits") in operators


def test_a_bundle_follows_an_object(bundle: Bundle) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)
    with VideoSegmenter(bundle) as segmenter:
        segmenter.prompt(frame, 1, points=[(40, 40)])
        assert segmenter.track(frame).objects[1].mask.shape == (90, 160)


def test_layers_can_be_kept(recipe: Recipe, tmp_path: Path) -> None:
    asked = dataclasses.replace(recipe, precision="w4", output=tmp_path / "kept")
    with pytest.raises(UnknownNameError, match="layer, or pattern of layers"):
        export(dataclasses.replace(asked, keep_float=["nothing.*"]))
    manifest = export(dataclasses.replace(asked, keep_float=["mask_decoder.*"])).manifest
    said = manifest.calibration
    assert said is not None
    assert not any(path.startswith("mask_decoder") for path in said["four_bit_layers"])
    assert all(
        reason == "--keep-float mask_decoder.*"
        for path, reason in said["float_layers"].items()
        if path.startswith("mask_decoder")
    )


@pytest.mark.parametrize("target", ["jetson-nano", "ios18"])
def test_others_have_no_such_precision(target: str, recipe: Recipe) -> None:
    backend = "trt" if target.startswith("jetson") else "coreml"
    asked = dataclasses.replace(recipe, backend=backend, target=target, precision="w4a8")
    with pytest.raises((ArgumentError, UnknownNameError)):
        export(dataclasses.replace(asked, calib_frames=None, accept_drop=False))
