import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from sam2lite.cli.export.main import app
from sam2lite.errors import ArgumentError, ExportError, OutputError, VerificationError
from sam2lite.exporter.tensorrt.preflight import preflight
from sam2lite.exporter.verify.parity import run_onnx

runner = CliRunner()
X = np.random.default_rng(0).normal(size=(1, 5, 64)).astype(np.float32)


def block(*more: onnx.NodeProto, opset: int = 17) -> onnx.ModelProto:
    """Layer norm and a linear layer, then more nodes from `h` to `y`."""
    rng = np.random.default_rng(1)
    nodes = [
        helper.make_node("LayerNormalization", ["x", "scale"], ["n"], "/norm"),
        helper.make_node("MatMul", ["n", "weight"], ["h"], "/fc"),
        *(more or [helper.make_node("Relu", ["h"], ["y"], "/relu")]),
    ]
    weights = {"scale": rng.normal(size=64), "weight": rng.normal(size=(64, 64))}
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5, 64])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "block.onnx"
    onnx.save(block(), path)
    return path


def invoke(file: Path, *more: str, target: str = "jetson-nano", out: str = "out.onnx") -> Any:
    arguments = ["lower", str(file), "--target", target, "-o", str(file.parent / out), *more]
    return runner.invoke(app, arguments)


def test_a_file_is_rewritten_and_each_pass_gives_its_figure(file: Path) -> None:
    result = invoke(file)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    norm = next(line for line in lines if line.startswith("layer_norm: "))
    assert "-1 LayerNormalization" in norm
    assert "+2 ReduceMean" in norm
    assert norm.endswith(" of the largest value")
    assert lines[-2] == "TensorRT 8.2.1 (jetson-nano): by the tables, its parser takes the graph"
    assert lines[-1].startswith(f"{file.parent / 'out.onnx'}: ")
    assert ", opset 13, worst relative error of a pass " in lines[-1]
    written = onnx.load(file.parent / "out.onnx")
    assert preflight(written, "8.2.1") == []
    expected = run_onnx(file, {"x": X})["y"]
    np.testing.assert_allclose(run_onnx(written, {"x": X})["y"], expected, atol=1e-4)


def test_as_json(file: Path) -> None:
    data = json.loads(invoke(file, "--json").stdout)
    assert data["path"] == str(file.parent / "out.onnx")
    assert (data["target"], data["tensorrt"], data["opset"]) == ("jetson-nano", "8.2.1", 13)
    assert data["findings"] == []
    assert data["worst_relative_error"] < 1e-6
    norm = next(applied for applied in data["passes"] if applied["name"] == "layer_norm")
    assert norm["operators"]["LayerNormalization"] == -1


def test_newer_boards_need_nothing(file: Path) -> None:
    result = invoke(file, target="jetson-orin-nano")
    assert result.stdout.startswith("no pass had anything to change\n")
    assert "LayerNormalization" in [
        n.op_type for n in onnx.load(file.parent / "out.onnx").graph.node
    ]


def test_what_remains_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "block.onnx"
    onnx.save(block(helper.make_node("Mish", ["h"], ["y"], "/mish"), opset=18), file)
    result = invoke(file)
    assert isinstance(result.exception, VerificationError)
    assert result.exception.exit_code == 3
    assert "nothing was written" in str(result.exception)
    line = next(line for line in result.stdout.splitlines() if line.startswith("  Mish"))
    assert "(block /mish)" in line
    assert "TensorRT 10.0 takes it. Remedy: " in line
    data = json.loads(invoke(file, "--json").stdout)
    assert data["path"] is None
    assert [f["subject"] for f in data["findings"]] == ["opset 18", "Mish"]
    assert list(tmp_path.iterdir()) == [file]


def test_dynamic_shapes_are_refused_with_the_remedy(tmp_path: Path) -> None:
    graph = block()
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(graph, tmp_path / "block.onnx")
    result = invoke(tmp_path / "block.onnx")
    assert isinstance(result.exception, VerificationError)
    assert "[batch, 5, 64]" in result.stdout
    assert "--overwrite-input-shape" in result.stdout


def test_weights_in_another_file_come_into_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "block.onnx"
    onnx.save(block(), file, save_as_external_data=True, location="block.bin", size_threshold=0)
    assert invoke(file).exit_code == 0
    (tmp_path / "block.bin").unlink()
    run_onnx(tmp_path / "out.onnx", {"x": X})


def test_missing_and_damaged_weights(tmp_path: Path) -> None:
    file = tmp_path / "block.onnx"
    onnx.save(block(), file, save_as_external_data=True, location="block.bin", size_threshold=0)
    weights = tmp_path / "block.bin"
    weights.write_bytes(weights.read_bytes()[:100])
    assert_refused(invoke(file), "cannot be read")
    weights.unlink()
    assert_refused(invoke(file), "keeps weights in 'block.bin', which is not beside it")


def assert_refused(result: Any, message: str, error: type[Exception] = ExportError) -> None:
    assert isinstance(result.exception, error), result.exception
    assert message in str(result.exception)


def test_a_model_above_2_gb(tmp_path: Path) -> None:
    file = tmp_path / "block.onnx"
    onnx.save(block(), file, save_as_external_data=True, location="block.bin", size_threshold=0)
    with (tmp_path / "block.bin").open("r+b") as weights:
        weights.truncate(2**31)  # a hole: it takes no room on the disk
    assert_refused(invoke(file), "2.1 GB with its weights")


@pytest.mark.parametrize("content", [b"no model at all, but some text", b"", b"\x08\x08"])
def test_what_is_not_onnx(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "block.onnx").write_bytes(content)
    result = invoke(tmp_path / "block.onnx")
    assert_refused(result, "is not an ONNX model")
    assert result.exception.exit_code == 1


def test_a_truncated_file(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-300])
    assert_refused(invoke(file), "is not an ONNX model")


def test_a_file_that_onnxruntime_cannot_run(file: Path) -> None:
    graph = block()
    graph.graph.node[0].input[1] = "nothing"
    onnx.save(graph, file)
    assert_refused(invoke(file), "cannot run the graph")


def test_bad_arguments(file: Path, tmp_path: Path) -> None:
    assert invoke(tmp_path / "missing.onnx").exit_code == 2
    assert_refused(invoke(file, target="arm64"), "--target is 'arm64', which runs", ArgumentError)
    assert_refused(invoke(file, target="jetson-nan"), "did you mean jetson-nano", ArgumentError)
    assert runner.invoke(app, ["lower", str(file), "-o", str(tmp_path / "o.onnx")]).exit_code == 2


def test_what_is_there_is_kept_without_force(file: Path) -> None:
    out = file.parent / "out.onnx"
    out.write_text("mine")
    assert_refused(invoke(file), "exists; add --force", OutputError)
    assert out.read_text() == "mine"
    assert invoke(file, "--force").exit_code == 0
    assert preflight(onnx.load(out), "8.2.1") == []
    (file.parent / "folder").mkdir()
    assert_refused(invoke(file, "--force", out="folder"), "is a folder", OutputError)


def test_a_folder_that_cannot_be_written(file: Path) -> None:
    arguments = ["lower", str(file), "--target", "jetson-nano", "-o", "/proc/nowhere/o.onnx"]
    assert_refused(runner.invoke(app, arguments), "cannot write", OutputError)


def saved(path: Path, nodes: list[onnx.NodeProto], inputs: dict[str, Any], **more: Any) -> Path:
    """A model from inputs (name: type and shape) to `y`, as a file."""
    values = [helper.make_tensor_value_info(n, t, shape) for n, (t, shape) in inputs.items()]
    output = helper.make_tensor_value_info("y", *more.get("output", (TensorProto.FLOAT, None)))
    weights = [numpy_helper.from_array(np.asarray(v), k) for k, v in more.get("w", {}).items()]
    graph = helper.make_graph(nodes, "graph", values, [output], weights)
    made = helper.make_model(
        graph,
        ir_version=more.get("ir", 8),
        opset_imports=[helper.make_opsetid(more.get("domain", ""), more.get("opset", 13))],
        functions=more.get("functions", ()),
    )
    onnx.save(onnx.shape_inference.infer_shapes(made) if "output" not in more else made, path)
    return path


def table(path: Path) -> Path:
    """A table of one row, and which of its rows are wanted."""
    return saved(
        path / "table.onnx",
        [helper.make_node("Gather", ["t", "i"], ["y"])],
        {"i": (TensorProto.INT64, [3])},
        w={"t": np.ones((1, 4), np.float32)},
    )


def test_random_inputs_that_do_not_fit_are_said_so(tmp_path: Path) -> None:
    result = invoke(table(tmp_path))
    assert_refused(result, "cannot run graph on random inputs (Non-zero status")
    assert "--feeds FILE.npz" in str(result.exception)


def test_inputs_of_ones_own(tmp_path: Path) -> None:
    file = table(tmp_path)
    feeds = tmp_path / "feeds.npz"
    np.savez(feeds, i=np.zeros(3, np.int64))
    result = invoke(file, "--feeds", str(feeds))
    assert result.exit_code == 0, result.output
    for arrays, problem in (
        ({"i": np.zeros(4, np.int64)}, "[4], not [3]"),
        ({"j": np.zeros(3, np.int64)}, "i is missing"),
        ({"i": np.zeros(3, np.float32)}, "is float32, not int64"),
    ):
        np.savez(feeds, **arrays)
        assert_refused(invoke(file, "--feeds", str(feeds), "--force"), problem, ArgumentError)
    feeds.write_bytes(b"no archive")
    assert_refused(invoke(file, "--feeds", str(feeds), "--force"), "int64[3]", ArgumentError)


def test_inputs_must_be_finite(file: Path, tmp_path: Path) -> None:
    feeds = tmp_path / "feeds.npz"
    np.savez(feeds, x=np.full((1, 5, 64), np.nan, np.float32))
    assert_refused(invoke(file, "--feeds", str(feeds)), "not finite", ArgumentError)


def test_a_jetpack_is_chosen(file: Path) -> None:
    result = invoke(file, "--jetpack", "4.6", target="jetson-xavier-nx")
    assert "TensorRT 8.2.1 (jetson-xavier-nx)" in result.stdout
    assert_refused(
        invoke(file, "--jetpack", "4.6", "--force", target="jetson-orin-nano"),
        "which begins with JetPack 5.1",
        ArgumentError,
    )
    assert_refused(
        invoke(file, "--jetpack", "6", "--force", target="cuda-x86-sm86"),
        "Jetson boards",
        ArgumentError,
    )


@pytest.mark.parametrize("operator", ["Slice", "Reshape", "Expand", "Tile", "ConstantOfShape"])
def test_sizes_that_an_input_decides(tmp_path: Path, operator: str) -> None:
    given = {
        "Slice": ["x", "zero", "k"],
        "Reshape": ["x", "k"],
        "Expand": ["x", "k"],
        "Tile": ["x", "k"],
        "ConstantOfShape": ["k"],
    }[operator]
    file = saved(
        tmp_path / "size.onnx",
        [
            helper.make_node("Cast", ["n"], ["k"], to=TensorProto.INT64),
            helper.make_node(operator, given, ["sized"], "sizer"),
            helper.make_node("ReduceMax", ["sized"], ["y"]),
        ],
        {"x": (TensorProto.FLOAT, [4]), "n": (TensorProto.INT32, [1])},
        w={"zero": np.array([0])},
    )
    for target in ("jetson-nano", "jetson-orin-nano"):
        result = invoke(file, target=target)
        assert isinstance(result.exception, VerificationError), result.output
        assert "(size sizer)" in result.stdout
        assert "depends on what the input 'n' holds" in result.stdout


def test_sizes_by_shape_are_constants(tmp_path: Path) -> None:
    file = saved(
        tmp_path / "shape.onnx",
        [
            helper.make_node("Shape", ["n"], ["s"]),
            helper.make_node("Expand", ["x", "s"], ["y"]),
        ],
        {"x": (TensorProto.FLOAT, [1]), "n": (TensorProto.INT32, [3])},
    )
    assert invoke(file).exit_code == 0


def test_files_of_the_third_format_and_of_a_spelt_domain(tmp_path: Path) -> None:
    nodes = [
        helper.make_node(
            "Constant", [], ["k"], value=numpy_helper.from_array(np.array([3, 2]), "")
        ),
        helper.make_node("Reshape", ["x", "k"], ["r"]),
        helper.make_node("Add", ["r", "b"], ["y"]),
    ]
    inputs = {"x": (TensorProto.FLOAT, [2, 3]), "b": (TensorProto.FLOAT, [2])}
    weights = {"b": np.ones(2, np.float32)}
    file = saved(tmp_path / "old.onnx", nodes, inputs, w=weights, ir=3, opset=9)
    result = invoke(file)
    assert result.exit_code == 0, result.output
    assert [value.name for value in onnx.load(tmp_path / "out.onnx").graph.input] == ["x"]
    relu = [helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")]
    shape = (TensorProto.FLOAT, [2, 3])
    spelt = saved(
        tmp_path / "spelt.onnx", relu, {"x": shape}, domain="ai.onnx", opset=15, output=shape
    )
    result = invoke(spelt, "--force")
    assert result.exit_code == 0, result.output


def test_local_functions_are_written_out(tmp_path: Path) -> None:
    twice = helper.make_function(
        "demo",
        "twice",
        ["a"],
        ["c"],
        [helper.make_node("Add", ["a", "a"], ["c"])],
        [helper.make_opsetid("", 13)],
    )
    shape = (TensorProto.FLOAT, [2])
    file = tmp_path / "local.onnx"
    nodes = [helper.make_node("twice", ["x"], ["y"], domain="demo")]
    saved(file, nodes, {"x": shape}, functions=[twice], output=shape)
    graph = onnx.load(file)
    graph.opset_import.append(helper.make_opsetid("demo", 1))
    onnx.save(graph, file)
    assert invoke(file).exit_code == 0
    written = onnx.load(tmp_path / "out.onnx")
    assert [node.op_type for node in written.graph.node] == ["Add"]
    assert not written.functions


def test_training_mode_is_named(tmp_path: Path) -> None:
    channels = {name: np.ones(3, np.float32) for name in "sbmv"}
    shape = (TensorProto.FLOAT, [2, 3, 4, 4])
    for node, opset, weights in (
        (
            helper.make_node("BatchNormalization", [*"xsbmv"], ["y", "a", "c"], training_mode=1),
            15,
            channels,
        ),
        (
            helper.make_node("BatchNormalization", [*"xsbmv"], ["y", "a", "c", "d", "e"]),
            9,
            channels,
        ),
        (
            helper.make_node("Dropout", ["x", "r", "t"], ["y"]),
            13,
            {"r": np.float32(0.5), "t": np.array(True)},
        ),
    ):
        file = saved(tmp_path / "train.onnx", [node], {"x": shape}, w=weights, opset=opset)
        result = invoke(file)
        assert isinstance(result.exception, VerificationError), result.output
        assert "call model.eval() before exporting" in result.stdout
        assert "simplify" not in str(result.exception)


def test_second_outputs_that_nobody_reads_are_dropped(tmp_path: Path) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y", "where"], kernel_shape=[2, 2])
    file = saved(tmp_path / "pool.onnx", [node], {"x": (TensorProto.FLOAT, [1, 1, 4, 4])})
    assert invoke(file).exit_code == 0
    assert list(onnx.load(tmp_path / "out.onnx").graph.node[0].output) == ["y"]


def test_opsets_before_the_seventh(tmp_path: Path) -> None:
    shape = (TensorProto.FLOAT, [2])
    file = saved(
        tmp_path / "six.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": shape}, opset=6, ir=3
    )
    assert invoke(file).exit_code == 0
    assert onnx.load(tmp_path / "out.onnx").opset_import[0].version == 9
    broadcast = helper.make_node("Add", ["x", "b"], ["y"], broadcast=1, axis=0)
    inputs = {"x": (TensorProto.FLOAT, [2, 3]), "b": shape}
    saved(file, [broadcast], inputs, opset=6, ir=3, output=(TensorProto.FLOAT, [2, 3]))
    result = invoke(file, "--force")
    assert isinstance(result.exception, VerificationError)
    assert "the parser knows opsets from 7 on" in result.stdout


def test_what_is_no_tensor_has_its_own_sentence(tmp_path: Path) -> None:
    made = block()
    kind = helper.make_sequence_type_proto(
        helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 5, 64])
    )
    made.graph.input.append(helper.make_value_info("list", kind))
    made.graph.input.append(helper.make_tensor_value_info("text", TensorProto.STRING, [1]))
    onnx.save(made, tmp_path / "block.onnx")
    result = invoke(tmp_path / "block.onnx")
    assert isinstance(result.exception, VerificationError)
    assert "sequence (block list): the parser takes tensors alone" in result.stdout
    assert "STRING (block text)" in result.stdout
