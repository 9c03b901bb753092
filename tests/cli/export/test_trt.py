"""`sam2lite-export trt` on a small network: what it writes, says and refuses."""

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto
from typer.testing import CliRunner

from sam2lite.cli.export.main import app
from sam2lite.cli.main import app as main_app
from sam2lite.contracts.build_plan import NOT_BUILT, loads
from sam2lite.errors import ArgumentError, UnknownNameError
from sam2lite.exporter.tensorrt.preflight import preflight
from sam2lite.runtimes.bundle import open_bundle

runner = CliRunner()
# The first plan is good enough: how others are searched is tested elsewhere.
ANY_DROP = ("--max-drop", "100")


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def quick(model: str, output: Path, target: str, *more: str) -> list[str]:
    footage = ["--calib-frames", "8", "--rungs", "240"]
    return ["trt", "--model", model, "--target", target, "-o", str(output), *footage, *more]


def test_a_bundle_for_a_nano(model: str, tmp_path: Path) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b", "jetson-nano"))
    assert result.exit_code == 0, result.output
    assert "python3 device.pyz build" in result.stdout
    assert "preflight: the parser of TensorRT 8.2.1 takes all 4 graphs" in result.stdout
    assert "FP16 over 24 frames" in result.stderr
    manifest = open_bundle(str(tmp_path / "b")).manifest
    assert (manifest.backend, manifest.status, manifest.opset) == ("trt", NOT_BUILT, 13)
    assert manifest.preprocess["dtype"] == "float32"
    assert {"device.pyz", "README.txt", "plan.json"} <= set(manifest.files)
    assert manifest.verification["loop"]["min_iou"] == 1.0
    plan = loads((tmp_path / "b" / "plan.json").read_bytes(), "plan")
    assert not plan.strongly_typed
    assert plan.graphs["mask_decoder@240"].flags == ("FP16",)
    assert plan.graphs["memory_select"].flags == ()
    for key, graph in plan.graphs.items():
        found = onnx.load(tmp_path / "b" / graph.onnx)
        assert set(graph.fp32_nodes) <= {node.name for node in found.graph.node}, key
        assert preflight(found, "8.2.1") == []
    assert any("Softmax" in name for name in plan.graphs["mask_decoder@240"].fp32_nodes)
    shown = runner.invoke(main_app, ["inspect", str(tmp_path / "b")])
    assert shown.exit_code == 0, shown.output
    assert "engine: not built" in shown.stdout
    assert "Memory of jetson-nano" in shown.stdout
    assert "FP16 ranges seen on" in shown.stdout
    assert "calibrated" not in shown.stdout


def test_types_stand_in_the_graph_where_tensorrt_takes_them(model: str, tmp_path: Path) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b", "jetson-orin-nano", "--json"))
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["engine"] == NOT_BUILT
    assert report["preflight"] == {"tensorrt": "10.3.0", "graphs": 4, "findings": 0}
    assert [rung["rung"] for rung in report["memory"]["rungs"]] == [240]
    plan = loads((tmp_path / "b" / "plan.json").read_bytes(), "plan")
    assert plan.strongly_typed
    assert {graph.flags for graph in plan.graphs.values()} == {()}
    encoder = onnx.load(tmp_path / "b" / "graphs" / "image_encoder@240.onnx")
    kinds = {tensor.data_type for tensor in encoder.graph.initializer}
    assert TensorProto.FLOAT16 in kinds


@pytest.mark.usefixtures("one_scored_clip")
def test_int8_is_symmetric_beside_fp16(model: str, tmp_path: Path) -> None:
    arguments = quick(model, tmp_path / "b", "jetson-orin-nano", "--int8", *ANY_DROP)
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "INT8 against FP32 on 1 clips" in result.stderr
    encoder = onnx.load(tmp_path / "b" / "graphs" / "image_encoder@240.onnx")
    constants = {tensor.name: tensor for tensor in encoder.graph.initializer}
    quantize = [node for node in encoder.graph.node if node.op_type == "QuantizeLinear"]
    assert quantize
    for node in quantize:
        assert constants[node.input[1]].data_type == TensorProto.FLOAT16
        assert constants[node.input[2]].data_type == TensorProto.INT8
        assert not onnx.numpy_helper.to_array(constants[node.input[2]]).any()
    first = next(node for node in encoder.graph.node if node.op_type == "Conv")
    assert "Quantize" not in first.input[0], "the first layer stays in float"
    assert preflight(encoder, "10.3.0") == []


@pytest.mark.usefixtures("one_scored_clip")
def test_int8_of_a_weakly_typed_tensorrt(model: str, tmp_path: Path) -> None:
    arguments = quick(model, tmp_path / "b", "jetson-xavier-nx", "--int8", *ANY_DROP)
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    plan = loads((tmp_path / "b" / "plan.json").read_bytes(), "plan")
    graph = plan.graphs["mask_decoder@240"]
    assert (plan.strongly_typed, graph.flags) == (False, ("INT8", "FP16"))
    decoder = onnx.load(tmp_path / "b" / graph.onnx)
    kinds = {tensor.data_type for tensor in decoder.graph.initializer}
    assert TensorProto.FLOAT16 not in kinds
    pinned = [node for node in decoder.graph.node if node.name in graph.fp32_nodes]
    assert pinned
    assert not any("Quantize" in node.op_type for node in pinned)


@pytest.mark.usefixtures("one_scored_clip")
def test_int8_before_8_5_has_a_calibration_cache(model: str, tmp_path: Path) -> None:
    more = ("--jetpack", "4.6", "--int8", *ANY_DROP)
    result = runner.invoke(app, quick(model, tmp_path / "b", "jetson-xavier-nx", *more))
    assert result.exit_code == 0, result.output
    plan = loads((tmp_path / "b" / "plan.json").read_bytes(), "plan")
    graph = plan.graphs["image_encoder@240"]
    assert graph.flags == ("INT8", "FP16")
    assert "/stem.0/Conv" in graph.fp32_nodes
    assert graph.calibration_cache is not None
    lines = (tmp_path / "b" / graph.calibration_cache).read_text().splitlines()
    assert lines[0] == "TRT-8201-EntropyCalibration2"
    model_file = onnx.load(tmp_path / "b" / graph.onnx)
    known = {name for node in model_file.graph.node for name in (*node.input, *node.output)}
    assert {line.rpartition(": ")[0] for line in lines[1:]} <= known
    assert not any(node.op_type == "QuantizeLinear" for node in model_file.graph.node)
    assert graph.calibration_cache in open_bundle(str(tmp_path / "b")).manifest.files


def test_int8_on_a_nano_is_refused_or_falls_back(model: str, tmp_path: Path) -> None:
    arguments = quick(model, tmp_path / "b", "jetson-nano", "--int8")
    refused = runner.invoke(app, arguments)
    assert isinstance(refused.exception, ArgumentError)
    assert "no INT8 arithmetic" in str(refused.exception)
    assert "--fallback" in str(refused.exception)
    assert not (tmp_path / "b").exists()
    result = runner.invoke(app, [*arguments, "--fallback"])
    assert result.exit_code == 0, result.output
    assert "int8 falls back to fp16 on jetson-nano" in result.stderr
    assert open_bundle(str(tmp_path / "b")).manifest.precision == "fp16"


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (["--target", "jetson-nanno"], UnknownNameError, "jetson-nano"),
        (["--target", "arm64"], ArgumentError, "sam2lite-export ort --target arm64"),
        (["--target", "jetson-nano", "--jetpack", "6.2"], Exception, "JetPack 6.2"),
        (["--target", "jetson-orin-nx", "--tensorrt", "8.2"], Exception, "8.2"),
        (["--target", "jetson-nano", "--precision", "int3"], UnknownNameError, "int8"),
        (["--target", "jetson-nano", "--fp16", "--int8"], ArgumentError, "choose one precision"),
        (["--target", "jetson-nano", "--rungs", "250"], UnknownNameError, "240"),
    ],
)
def test_mistakes_are_named(
    arguments: list[str], kind: type[Exception], said: str, model: str, tmp_path: Path
) -> None:
    more = ["--model", model, "-o", str(tmp_path / "b")]
    result = runner.invoke(app, ["trt", *arguments, *more])
    assert isinstance(result.exception, kind)
    assert said in str(result.exception)
    assert not (tmp_path / "b").exists()


def test_a_dry_run_writes_nothing(model: str, tmp_path: Path) -> None:
    result = runner.invoke(app, quick(model, tmp_path / "b", "jetson-nano", "--dry-run", "--json"))
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert (plan["target"], plan["opset"], plan["precision"]) == ("jetson-nano", 13, "fp16")
    assert plan["preflight"] == {"tensorrt": "8.2.1", "graphs": 4, "findings": 0}
    assert [rung["rung"] for rung in plan["memory"]["rungs"]] == [240]
    shown = runner.invoke(app, quick(model, tmp_path / "b", "jetson-nano", "--dry-run")).stdout
    assert "preflight: the parser of TensorRT 8.2.1 takes all 4 graphs, at one size" in shown
    assert "Memory of jetson-nano with TensorRT 8.2.1, estimated:" in shown
    assert not (tmp_path / "b").exists()
