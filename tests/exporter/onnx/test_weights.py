import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from sam2lite.contracts.families.sam2lite import FAMILY, MEMORY_SELECT
from sam2lite.contracts.tensors import GraphSpec
from sam2lite.errors import OutputError
from sam2lite.exporter.onnx.passes.pipeline import REGISTRY
from sam2lite.exporter.onnx.trace import example_inputs, trace
from sam2lite.exporter.onnx.weights import (
    LARGE_BYTES,
    PAGE_BYTES,
    THRESHOLD_BYTES,
    VECTOR_BYTES,
    WEIGHTS_FILE,
    WeightStore,
)
from sam2lite.exporter.verify.parity import graph_parity, require_parity, run_onnx
from sam2lite.models.sam2lite.config import TINY
from sam2lite.models.sam2lite.network import Sam2Lite, build
from tests.exporter.conftest import Specs


def lowered(module: torch.nn.Module, spec: GraphSpec) -> onnx.ModelProto:
    model = trace(module, spec, 17)
    for apply in REGISTRY.values():
        model = apply(model)
    return model


def holder(**arrays: np.ndarray) -> onnx.ModelProto:
    """A model with the arrays as initializers."""
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph([], "holder", [], [], tensors)
    return helper.make_model(graph)


def location(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def test_equal_tensors_are_stored_once(tmp_path: Path) -> None:
    weight = np.arange(300, dtype=np.float32)
    with WeightStore(tmp_path) as store:
        for model in (holder(a=weight), holder(b=weight, c=weight + 1)):
            store.externalise(model)
    report = store.report()
    assert (report.tensors, report.stored_tensors) == (3, 2)
    assert (report.referenced_bytes, report.stored_bytes, report.saved_bytes) == (3600, 2400, 1200)
    assert report.file_bytes == (tmp_path / WEIGHTS_FILE).stat().st_size


def test_large_tensors_start_at_pages_and_small_ones_stay(tmp_path: Path) -> None:
    model = holder(
        odd=np.zeros(THRESHOLD_BYTES + 1, np.int8),
        next_to_it=np.ones(THRESHOLD_BYTES, np.int8),
        large=np.ones(LARGE_BYTES, np.int8),
        small=np.zeros(THRESHOLD_BYTES - 1, np.int8),
    )
    with WeightStore(tmp_path) as store:
        store.externalise(model)
    odd, next_to_it, large, small = model.graph.initializer
    assert location(odd) == {"location": WEIGHTS_FILE, "offset": "0", "length": "257"}
    assert location(next_to_it)["offset"] == str(THRESHOLD_BYTES + VECTOR_BYTES)
    assert location(large)["offset"] == str(PAGE_BYTES)
    assert small.data_location == TensorProto.DEFAULT and len(small.raw_data) == THRESHOLD_BYTES - 1


def test_sizes_of_many_parts_stay_in_the_graph(tmp_path: Path) -> None:
    parts = THRESHOLD_BYTES // 8 + 1
    sizes = np.full(parts, 2, np.int64)
    names = [f"y{index}" for index in range(parts)]
    graph = helper.make_graph(
        [helper.make_node("Split", ["x", "sizes"], names, axis=0)],
        "parts",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2 * parts, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in names],
        [numpy_helper.from_array(sizes, "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with WeightStore(tmp_path) as store:
        store.externalise(model)
    onnx.save(model, tmp_path / "parts.onnx")
    session = ort.InferenceSession(tmp_path / "parts.onnx", providers=["CPUExecutionProvider"])
    x = np.arange(6.0 * parts, dtype=np.float32).reshape(-1, 3)
    found = session.run(None, {"x": x})
    assert np.array_equal(np.concatenate([np.asarray(part) for part in found]), x)


def test_tensors_that_are_not_raw_bytes_are_stored_too(tmp_path: Path) -> None:
    values = [float(x) for x in range(256)]
    model = holder()
    model.graph.initializer.append(helper.make_tensor("typed", TensorProto.FLOAT, [256], values))
    with WeightStore(tmp_path) as store:
        store.externalise(model)
    stored = np.fromfile(tmp_path / WEIGHTS_FILE, np.float32)
    assert stored.tolist() == values
    assert not model.graph.initializer[0].float_data


def test_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    WeightStore(tmp_path).__exit__(None, None, None)
    with pytest.raises(OutputError, match=r"weights\.bin"):
        WeightStore(tmp_path)


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        WeightStore(tmp_path / "missing")


def test_graphs_load_back_and_run_from_the_folder(
    network: Sam2Lite, fused: Sam2Lite, bound: Specs, tmp_path: Path
) -> None:
    specs = {rung: bound("image_encoder", rung) for rung in (240, 288)}
    originals = {rung: lowered(fused.image_encoder, spec) for rung, spec in specs.items()}
    with WeightStore(tmp_path) as store:
        for rung, original in originals.items():
            model = onnx.ModelProto()
            model.CopyFrom(original)
            store.externalise(model)
            onnx.save(model, tmp_path / f"{rung}.onnx")
    assert store.report().saved_bytes > 0.45 * store.report().referenced_bytes
    for rung, original in originals.items():
        path = tmp_path / f"{rung}.onnx"
        onnx.checker.check_model(path, full_check=True)
        loaded = onnx.load(path)
        for ours, theirs in zip(original.graph.initializer, loaded.graph.initializer, strict=True):
            np.testing.assert_array_equal(
                numpy_helper.to_array(ours), numpy_helper.to_array(theirs)
            )
        feeds = {"image_bchw": example_inputs(specs[rung])[0].numpy()}
        inside, outside = run_onnx(original, feeds), run_onnx(path, feeds)
        for name in inside:
            np.testing.assert_array_equal(inside[name], outside[name])
        require_parity(graph_parity(network.image_encoder, path, specs[rung]), path.name)


def test_the_same_models_give_the_same_file(fused: Sam2Lite, bound: Specs, tmp_path: Path) -> None:
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        with WeightStore(tmp_path / name) as store:
            store.externalise(lowered(fused.memory_encoder, bound("memory_encoder", 240)))
    once, again = (tmp_path / name / WEIGHTS_FILE for name in ("once", "again"))
    assert once.read_bytes() == again.read_bytes()


@pytest.mark.slow
def test_six_rungs_of_tiny_take_little_more_than_one(tmp_path: Path) -> None:
    """Beside the weights, a rung adds its position tables and its area matrices, and no more."""
    fused = build(TINY).fused()
    weights = sum(x.numel() * x.element_size() for x in fused.state_dict().values())
    tables = 0
    with WeightStore(tmp_path) as store:
        for rung in TINY.rungs:
            for graph in (*FAMILY.per_size, MEMORY_SELECT):
                store.externalise(lowered(getattr(fused, graph.name), graph.bind(TINY.dims(rung))))
            side_s16, side_s32 = rung // 16, math.ceil(rung / 32)
            tables += TINY.embed_dim * side_s16**2 + TINY.stages[-1].width * side_s32**2
            tables += 2 * 15 * side_s16 + 2 * 60 * rung // 4
    report = store.report()
    assert report.stored_bytes < weights + 4 * tables
    assert report.file_bytes < 1.02 * report.stored_bytes
    assert report.referenced_bytes > 5.4 * report.stored_bytes
