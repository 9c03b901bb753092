import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.cli.reports.memory import describe_memory
from sam2lite.errors import ArgumentError, ExportError, VerificationError
from sam2lite.exporter.tensorrt.graph_memory import graph_memory
from sam2lite.exporter.tensorrt.library_memory import LIBRARIES, library_memory
from sam2lite.exporter.tensorrt.memory_estimate import (
    FITS,
    TIGHT,
    TOO_LARGE,
    MemoryReport,
    estimate_memory,
)
from sam2lite.runtimes.bundle import open_bundle
from sam2lite.targets.profile import TargetProfile
from sam2lite.targets.registry import get_target
from sam2lite.targets.releases import with_jetpack

SIDE = 32
PLANE = SIDE * SIDE * 4  # bytes of a square float tensor


def square(
    name: str, dtype: int = TensorProto.FLOAT, side: int | str = SIDE
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, [SIDE, side])


def weight(name: str, dtype: type = np.float32, shape: Sequence[int] = (SIDE, SIDE)) -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def model(
    nodes: Sequence[onnx.NodeProto],
    weights: Sequence[TensorProto] = (),
    inputs: Sequence[onnx.ValueInfoProto] | None = None,
) -> onnx.ModelProto:
    """Return a graph from `x` to `y`; both are square unless inputs are given."""
    graph = helper.make_graph(nodes, "g", inputs or [square("x")], [square("y")], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])


def chain(*operators: str) -> list[onnx.NodeProto]:
    """Return operators from `x` to `y`, one after another; MatMul takes `w`, the rest nothing."""
    names = ["x", *(f"t{index}" for index in range(1, len(operators))), "y"]
    return [
        helper.make_node(op, [names[i], "w"] if op == "MatMul" else [names[i]], [names[i + 1]])
        for i, op in enumerate(operators)
    ]


@pytest.mark.parametrize(
    ("operators", "planes"),
    [
        (["MatMul"], 0),  # from input to output: nothing between
        (["MatMul", "MatMul"], 1),
        (["MatMul", "MatMul", "MatMul"], 2),  # what is read and what is written
        (["MatMul"] * 6, 2),
        (["MatMul", "Relu", "Relu", "MatMul"], 1),  # written in place
        (["MatMul", "Identity", "Identity", "MatMul"], 1),  # a view is no copy
        (["MatMul", "Softmax", "MatMul"], 2),
    ],
)
def test_activations_are_what_is_alive_at_once(operators: list[str], planes: int) -> None:
    found = graph_memory(model(chain(*operators), [weight("w")]), "fp32")
    assert found.activations == planes * PLANE
    assert found.border == 2 * PLANE
    assert found.weights == found.stored == PLANE


def test_what_is_read_later_stays_alive() -> None:
    nodes = [
        *chain("MatMul", "MatMul", "MatMul", "MatMul")[:-1],
        helper.make_node("Add", ["t1", "t3"], ["y"]),
    ]
    assert graph_memory(model(nodes, [weight("w")]), "fp32").activations == 3 * PLANE


def test_what_nobody_reads_is_written_all_the_same() -> None:
    nodes = [
        helper.make_node("Split", ["t1"], ["a", "b"], axis=0),
        helper.make_node("Concat", ["a", "a"], ["y"], axis=0),
    ]
    found = graph_memory(model([*chain("MatMul", "MatMul")[:1], *nodes], [weight("w")]), "fp32")
    assert found.activations == 2 * PLANE


def test_fp16_halves_floats_but_not_at_the_border() -> None:
    graph = model(chain("MatMul", "MatMul"), [weight("w"), weight("i", np.int32)])
    found = graph_memory(graph, "fp16")
    assert found.activations == PLANE // 2
    assert found.weights == PLANE // 2 + PLANE
    assert found.stored == found.border == 2 * PLANE


def test_a_graph_with_fp16_types_is_taken_by_its_types() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("MatMul", ["h", "w"], ["m"]),
        helper.make_node("Cast", ["m"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["f", "pinned"], ["y"]),
    ]
    found = graph_memory(model(nodes, [weight("w", np.float16), weight("pinned")]), "fp16")
    assert found.weights == PLANE // 2 + PLANE
    assert found.activations == PLANE


def quantized(name: str, source: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("QuantizeLinear", [source, "scale", "zero"], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", "scale", "zero"], [name]),
    ]


SCALE = [weight("scale", shape=()), weight("zero", np.int8, ())]
SCALE_BYTES = 5


def test_what_is_quantized_takes_a_byte() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        *quantized("aq", "a"),
        *quantized("wq", "w"),
        helper.make_node("MatMul", ["aq", "wq"], ["y"]),
    ]
    found = graph_memory(model(nodes, [weight("w"), *SCALE]), "int8")
    assert found.weights == PLANE // 4 + SCALE_BYTES
    assert found.activations == PLANE // 4


def test_weights_that_are_stored_as_int8_take_a_byte() -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["wf"]),
        helper.make_node("MatMul", ["x", "wf"], ["y"]),
    ]
    found = graph_memory(model(nodes, [weight("w", np.int8), *SCALE]), "int8")
    assert found.weights == PLANE // 4 + SCALE_BYTES
    assert found.activations == 0


def test_what_is_read_in_float_too_is_kept_in_float_too() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        *quantized("aq", "a"),
        helper.make_node("MatMul", ["aq", "w"], ["m"]),
        helper.make_node("Add", ["a", "m"], ["y"]),
    ]
    found = graph_memory(model(nodes, [weight("w"), *SCALE]), "int8")
    assert found.activations == PLANE + PLANE // 4 + PLANE


def test_constants_are_no_activations() -> None:
    nodes = [
        helper.make_node("Add", ["w", "w"], ["twice"]),
        helper.make_node("MatMul", ["x", "twice"], ["y"]),
    ]
    assert graph_memory(model(nodes, [weight("w")]), "fp32").activations == 0


def test_weights_in_another_file_are_not_read() -> None:
    graph = model(chain("MatMul"), [weight("w")])
    onnx.external_data_helper.set_external_data(graph.graph.initializer[0], "nowhere.bin")
    graph.graph.initializer[0].ClearField("raw_data")
    graph.graph.initializer[0].data_location = TensorProto.EXTERNAL
    assert graph_memory(graph, "fp32").weights == PLANE


def test_shape_that_is_not_known_is_refused_by_name() -> None:
    graph = model(chain("Relu", "Softmax"), inputs=[square("x", side="n")])
    with pytest.raises(ExportError, match=r"'t1'.*static shapes"):
        graph_memory(graph, "fp32")


def test_graphs_of_a_real_network(shipped_bundle: Path) -> None:
    manifest = open_bundle(str(shipped_bundle)).manifest
    models = [
        (key, onnx.load(shipped_bundle / entry.file, load_external_data=False))
        for key, entry in manifest.graphs.items()
    ]
    precisions = dict.fromkeys(manifest.graphs, "fp16")
    report = estimate_memory(models, precisions, get_target("jetson-nano"))
    stored = sum(graph.stored for graph in report.graphs.values())
    assert stored == pytest.approx(4 * manifest.model.parameters, rel=0.1)
    assert sum(graph.weights for graph in report.graphs.values()) < 0.51 * stored
    assert all(0 < graph.activations < 2**24 for graph in report.graphs.values())
    report.require_fit()


def rung_models(rungs: Sequence[int], mib: int = 8) -> list[tuple[str, onnx.ModelProto]]:
    """Return a bundle whose rungs each take `mib` MiB of weights, in graphs that share them."""
    row = helper.make_tensor_value_info("memory_key_bnc", TensorProto.FLOAT, [1, SIDE])
    inputs = [row, square("mask_prompt_b1hw")]
    shared = weight("w", shape=(SIDE, mib * 2**20 // 4 // SIDE // 2))
    models = []
    for rung in rungs:
        for name in ("image_encoder", "mask_decoder"):
            nodes = [
                helper.make_node("MatMul", ["memory_key_bnc", "w"], ["t"]),
                helper.make_node("ReduceSum", ["t"], ["y"]),
            ]
            models.append((f"{name}@{rung}", model(nodes, [shared], inputs)))
    return [*models, ("memory_select", model(chain("Relu")))]


def board(*memory_mb: int) -> TargetProfile:
    return get_target("jetson-nano")._replace(memory_mb=memory_mb)


def estimate(
    *memory_mb: int, rungs: Sequence[int] = (240, 480), mib: int = 8, objects: int = 1
) -> MemoryReport:
    models = rung_models(rungs, mib)
    precisions = {key: "fp32" for key, _ in models}
    kept = ("memory_key_bnc", "mask_prompt_b1hw")
    return estimate_memory(models, precisions, board(*memory_mb), objects=objects, kept=kept)


def test_engines_share_no_weights() -> None:
    one, both = estimate(rungs=[240], mib=64), estimate(mib=64)
    assert 64 <= one.rungs[0].own_mb < 80
    assert both.all_rungs_mb - one.all_rungs_mb == both.rungs[1].own_mb >= 64
    assert both.rungs[0].run_mb == one.all_rungs_mb


def test_objects_have_banks_of_their_own() -> None:
    one, many = estimate(), estimate(objects=1024)
    assert many.all_rungs_mb - one.all_rungs_mb == pytest.approx(
        1023 * (PLANE + 4 * SIDE) / 2**20, abs=1
    )


def test_libraries_are_those_of_the_release() -> None:
    models = rung_models([240])
    precisions = {key: "fp32" for key, _ in models}
    xavier = get_target("jetson-xavier-nx")
    reports = [
        estimate_memory(models, precisions, with_jetpack(xavier, name)) for name in ("4.6.6", "5")
    ]
    assert [report.libraries.since for report in reports] == [(8, 2), (8, 4)]
    assert reports[0].rungs[0].run_mb != reports[1].rungs[0].run_mb


@pytest.mark.parametrize("version", [(8, 2), (8, 5), (8, 6), (10, 3), (11, 4)])
def test_building_takes_more_than_running_and_has_a_source(version: tuple[int, int]) -> None:
    libraries = library_memory(version)
    assert libraries.build_mb > libraries.run_mb
    assert libraries.source
    assert libraries in LIBRARIES


def test_verdicts_soften_with_memory() -> None:
    order = [TOO_LARGE, TIGHT, FITS]
    report = estimate(1024, 1536, 2048, 3072, 4096)
    for find in (
        lambda size: size.run[480],
        lambda size: size.build[480],
        lambda size: size.all_rungs,
    ):
        ranks = [order.index(find(size)) for size in report.sizes]
        assert ranks == sorted(ranks)
        assert (ranks[0], ranks[-1]) == (0, 2)


def test_on_a_small_board_the_smallest_rungs_are_kept() -> None:
    report = estimate(2048, 8192, rungs=[240, 288, 480], mib=220)
    small, large = report.sizes
    assert small.keep == (240, 288)
    assert small.run[480] != TOO_LARGE  # it fits alone
    assert small.all_rungs == TOO_LARGE
    assert large.keep == (240, 288, 480)
    report.require_fit()
    assert any("keep --rungs 240,288" in line for line in report.warnings())


def test_rungs_that_fit_no_board_are_refused() -> None:
    with pytest.raises(VerificationError, match=r"240,480 do not fit jetson-nano.*1024") as caught:
        estimate(512, 1024).require_fit()
    assert caught.value.exit_code == 3


def test_a_target_of_any_memory_is_never_refused() -> None:
    models = rung_models([240], mib=4096 // 64)
    precisions = {key: "fp32" for key, _ in models}
    report = estimate_memory(models, precisions, get_target("cuda-x86-sm86"))
    report.require_fit()
    assert report.warnings() == []
    assert len(describe_memory(report.to_json())[1].split()) == 5


def test_target_without_tensorrt_is_refused() -> None:
    with pytest.raises(ArgumentError, match="arm64"):
        estimate_memory(rung_models([240]), {}, get_target("arm64"))


def test_report_survives_json() -> None:
    report = estimate(2048, 4096)
    data = json.loads(json.dumps(report.to_json()))
    assert [rung["rung"] for rung in data["rungs"]] == [240, 480]
    assert data["sizes"][0]["run"] == {"240": FITS, "480": FITS}
    assert data["libraries"]["source"] == report.libraries.source
    assert set(data["graphs_bytes"]) == set(report.graphs)


def test_table_has_a_line_a_rung_and_a_column_a_size() -> None:
    report = estimate(2048, 4096)
    lines = describe_memory(report.to_json())
    assert "estimated" in lines[0]
    assert lines[1].split() == ["rung", "run", "MiB", "build", "MiB", "2048", "MiB", "4096", "MiB"]
    for line, rung in zip(lines[2:4], report.rungs, strict=True):
        assert line.split()[:3] == [str(rung.rung), str(rung.run_mb), str(rung.build_mb)]
        assert "fits, build tight" in line
    assert lines[4].split()[:2] == ["all", str(report.all_rungs_mb)]
    assert max(map(len, lines)) <= 100
