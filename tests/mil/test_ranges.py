"""Ranges of activations, INT8 activations calibrated by them, and compressed weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2lite.exporter.onnx.trace import example_inputs, feeds_of
from sam2lite.exporter.verify.parity import module_parity
from sam2lite.mil.activation_stats import collect_activation_stats, quantize_activations
from sam2lite.mil.exact_passes import exact_passes
from sam2lite.mil.inventory import read_inventory
from sam2lite.mil.package import load_package
from sam2lite.mil.ranges import Span, activation_ranges
from sam2lite.models.sam2lite.network import Sam2Lite
from tests.mil.conftest import Packages
from tests.mil.conversion import bound_spec, ct, saved
from tests.mil.mil import one_op, simulated

OPTIMIZE = ct.optimize.coreml


def test_ranges_are_over_all_calls_and_of_floats_alone() -> None:
    x = np.array([[1.0, 2.0, 3.0]], np.float32)
    function = simulated(one_op("topk", {"x": x}, {"k": 2, "name": "top"}, "iOS17"))
    ranges = activation_ranges(function, [{"x": x}, {"x": -x}, {"x": 0 * x}])
    assert ranges == {"x": Span(-3.0, 3.0), "top_0": Span(-2.0, 3.0)}


def test_a_nan_is_not_lost() -> None:
    x = np.array([1.0], np.float32)
    function = simulated(one_op("relu", {"x": x}, {}, "iOS17"))
    for calls in ([{"x": x * np.nan}, {"x": x}], [{"x": x}, {"x": x * np.nan}]):
        assert np.isnan(activation_ranges(function, calls)["x"]).all()


def test_fp16_ranges_show_where_fp16_ends() -> None:
    x = np.array([3e4], np.float16)
    function = simulated(one_op("mul", {"x": x}, {"y": np.float16(4), "name": "y"}, "iOS17"))
    assert activation_ranges(function, [{"x": x}])["y"].high == pytest.approx(1.2e5, rel=1e-3)
    assert activation_ranges(function, [{"x": x}], "fp16")["y"].high == np.inf


def samples(network: Sam2Lite, graph: str, count: int) -> list[dict[str, np.ndarray]]:
    spec = bound_spec(network, graph, 240)
    return [feeds_of(spec, example_inputs(spec, seed)) for seed in range(count)]


def opened(path: Path) -> Any:
    return ct.models.MLModel(str(path), skip_model_load=True)


def test_concatenated_tensors_share_a_range(network: Sam2Lite, packages: Packages) -> None:
    fp16 = packages("memory_select")
    calls = samples(network, "memory_select", 2)
    stats = collect_activation_stats(opened(fp16), calls)
    function = load_package(fp16).function()
    concats = [step for step in function.program.steps if step.op == "concat"]
    # Keys, values and meta data meet in the last of the three.
    joined = {ref.name for step in concats for ref in step.arguments["values"]}  # type: ignore[union-attr]
    ranges = activation_ranges(function, calls)
    low, high = np.transpose([ranges[name] for name in joined])
    for name in joined:
        assert stats[name] == {"rmin": low.min(), "rmax": high.max()}
    assert stats["candidate_score_bn"]["rmax"] == ranges["candidate_score_bn"].high


def test_w8a8_is_calibrated_and_runs(network: Sam2Lite, packages: Packages, tmp_path: Path) -> None:
    linear = OPTIMIZE.OptimizationConfig(OPTIMIZE.OpLinearQuantizerConfig(weight_threshold=64))
    model = opened(packages("image_encoder"))
    int8 = quantize_activations(model, linear, samples(network, "image_encoder", 2))
    with exact_passes():
        int8 = OPTIMIZE.linear_quantize_weights(int8, linear)
    path = saved(int8, tmp_path / "w8a8.mlpackage")
    ops = read_inventory(path)["main"].ops
    assert ops["dequantize"] >= ops["quantize"] > 5
    assert ops["constexpr_affine_dequantize"] > 5
    run = load_package(path).function().run
    spec = bound_spec(network, "image_encoder", 240)
    errors = module_parity(network.image_encoder, run, spec)
    assert 15.0 <= min(error.sqnr_db for error in errors.values()) <= 45.0


COMPRESSED = {
    "int8": ("iOS17", "constexpr_affine_dequantize", 30.0),
    "int8 per channel": ("iOS18", "constexpr_blockwise_shift_scale", 30.0),
    "int4 per block": ("iOS18", "constexpr_blockwise_shift_scale", 10.0),
    "6 bit palette": ("iOS17", "constexpr_lut_to_dense", 20.0),
    "6 bit palette of iOS 18": ("iOS18", "constexpr_lut_to_dense", 20.0),
}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_compressed_weights_are_read(
    network: Sam2Lite, packages: Packages, tmp_path: Path, kind: str
) -> None:
    target, op, bound_db = COMPRESSED[kind]
    if "palette" in kind:
        config = OPTIMIZE.OpPalettizerConfig(mode="uniform", nbits=6, weight_threshold=512)
        compress = OPTIMIZE.palettize_weights
    else:
        blocks = {"granularity": "per_block", "block_size": 16, "dtype": "int4"}
        config = OPTIMIZE.OpLinearQuantizerConfig(
            weight_threshold=512, **(blocks if "int4" in kind else {})
        )
        compress = OPTIMIZE.linear_quantize_weights
    fp16 = packages("memory_encoder", target=target)
    with exact_passes():
        small = compress(opened(fp16), OPTIMIZE.OptimizationConfig(config))
    path = saved(small, tmp_path / "small.mlpackage")
    inventory, before = (read_inventory(each)["main"] for each in (path, fp16))
    assert inventory.ops[op] > 3
    assert inventory.weight_bytes < 0.65 * before.weight_bytes
    run = load_package(path).function().run
    errors = module_parity(network.memory_encoder, run, bound_spec(network, "memory_encoder", 240))
    assert min(error.sqnr_db for error in errors.values()) >= bound_db
