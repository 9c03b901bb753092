"""Weights in FP16: half the file, nearly the same numbers, and what cannot be held stays."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sam2lite.contracts.families.sam2lite import MASK_DECODER, MEMORY_SELECT
from sam2lite.errors import VerificationError
from sam2lite.exporter.onnx.trace import trace
from sam2lite.exporter.precision import fp16_storage
from sam2lite.exporter.precision.fp16_storage import Fp16Storage, store_in_fp16
from sam2lite.exporter.verify.parity import run_onnx
from sam2lite.models.sam2lite.network import Sam2Lite

SIDE = 64


def product(weight: np.ndarray) -> onnx.ModelProto:
    """Return the graph of y = x @ weight."""
    node = helper.make_node("MatMul", ["x", "weight"], ["y"], "product")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SIDE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, SIDE])
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(weight, "weight")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def random_weight() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)


def test_large_constants_are_stored_in_half() -> None:
    model = product(random_weight())
    feeds = {"x": np.linspace(-1, 1, SIDE, dtype=np.float32)[None]}
    before = run_onnx(model, feeds)["y"]
    assert store_in_fp16(model) == 1
    onnx.checker.check_model(model)
    assert [tensor.data_type for tensor in model.graph.initializer] == [TensorProto.FLOAT16]
    after = run_onnx(model, feeds)["y"]
    assert not np.array_equal(after, before)
    np.testing.assert_allclose(after, before, atol=2e-2)


def test_what_fp16_cannot_hold_stays() -> None:
    weight = random_weight()
    weight[0, 0] = 1e5
    model = product(weight)
    assert store_in_fp16(model) == 0
    assert model == product(weight)


def test_small_constants_stay() -> None:
    assert store_in_fp16(product(np.ones((SIDE, 1), np.float32))) == 0


def test_a_graph_of_the_network(mini: Sam2Lite) -> None:
    spec = MASK_DECODER.bind(mini.config.dims(240))
    model = trace(mini.fused().mask_decoder, spec, 17)
    size = model.ByteSize()
    rendered = Fp16Storage().render(model, spec, 240)
    assert rendered.precision == "fp16"
    assert rendered.model.ByteSize() < 0.8 * size
    assert min(rendered.report["sqnr_db"].values()) > 50.0


def test_selection_stays_in_fp32(mini: Sam2Lite) -> None:
    spec = MEMORY_SELECT.bind(mini.config.dims(240))
    model = trace(mini.fused().memory_select, spec, 17)
    assert Fp16Storage().render(model, spec, 240).precision == "fp32"


def test_too_much_error_is_refused(mini: Sam2Lite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fp16_storage, "LEAST_SQNR_DB", 200.0)
    spec = MASK_DECODER.bind(mini.config.dims(240))
    with pytest.raises(VerificationError, match="use --precision fp32"):
        Fp16Storage().render(trace(mini.fused().mask_decoder, spec, 17), spec, 240)
